import type { Crypto } from '../../core/crypto.ts';
import { compileDataClasses, type DataClasses } from '../../masking/classes.ts';
import type { Detector, MaskKind } from '../../masking/types.ts';

/** Classes of the target `billing`: by name its mask, its places (`acme.v1.Account#$.ssn`) and its detectors. */
export function testClasses(
  crypto: Crypto,
  classes: Readonly<Record<string, { readonly mask: MaskKind; readonly paths?: readonly string[]; readonly detect?: readonly Detector[] }>>,
): DataClasses {
  return compileDataClasses(
    Object.entries(classes).map(([name, { mask, paths = [], detect = [] }]) => ({
      name,
      columns: [],
      paths: [],
      documents: paths.map((text) => {
        const [segments = '', path = ''] = text.split('#');
        return { target: 'billing', segments: segments.split('/'), path };
      }),
      detect,
      mask,
    })),
    crypto,
    new Uint8Array(32),
  );
}
