/**
 * Tests of which psql prints something else through the gateway, and has to: why. What it prints otherwise is in `exceptions/`, and
 * nothing but that is granted. The same table stands in docs/reference/transparency.md.
 */
export const exceptions: ReadonlyMap<string, string> = new Map([
  ['create_table', 'the gateway reads with a newer grammar: one error has its place, which version 15 leaves out'],
  ['plpgsql', 'turns `standard_conforming_strings` off, which the gateway refuses: text would be read in two ways'],
  [
    'strings',
    'turns `standard_conforming_strings` and `escape_string_warning` off, which the gateway refuses: text would be read in two ways',
  ],
]);
