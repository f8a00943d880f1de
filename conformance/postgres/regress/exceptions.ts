/**
 * Tests of which psql prints something else through the gateway, and has to: why. What it prints otherwise is in `exceptions/`, and
 * nothing but that is granted. The same table stands in docs/reference/transparency.md.
 */
export const exceptions: ReadonlyMap<string, string> = new Map([
  ['foreign_key', 'the gateway reads with a newer grammar: one error is worded as version 18 words it'],
  [
    'largeobject',
    '`\\lo_import`, `\\lo_export` and `\\lo_unlink` send function call messages, which the gateway refuses: their answers cannot be masked',
  ],
  ['plpgsql', 'turns `standard_conforming_strings` off, which the gateway refuses: text would be read in two ways'],
  [
    'strings',
    'turns `standard_conforming_strings` and `escape_string_warning` off, which the gateway refuses: text would be read in two ways',
  ],
]);
