import type { Crypto } from '../../../core/crypto.ts';
import { compileDataClasses } from '../../../masking/classes.ts';
import type { AskEnvironment, HttpEnvironment } from '../environment.ts';
import { masksOf, type HttpMasks } from '../masks.ts';

/** Classes `ssn` and `card-number` with their detectors; `documents`: places of `ssn` at the target `crm`, as `path#$.place`. */
export function testEnvironment(
  crypto: Crypto,
  documents: readonly string[],
  more: Partial<HttpEnvironment['target']> = {},
): AskEnvironment {
  const classes = compileDataClasses(
    [
      {
        name: 'ssn',
        columns: [],
        paths: [],
        documents: documents.map((text) => {
          const [segments = '', path = ''] = text.split('#');
          return { target: 'crm', segments: segments === '' ? [] : segments.split('/'), path };
        }),
        detect: [{ kind: 'recogniser', name: 'us-ssn' }],
        mask: 'partial-last4',
      },
      { name: 'card-number', columns: [], paths: [], detect: [{ kind: 'recogniser', name: 'card-number' }], mask: 'partial-last4' },
    ],
    crypto,
    new Uint8Array(32),
  );
  return {
    target: {
      name: 'crm',
      masking: 'taint',
      readOnly: false,
      basePath: '',
      credentialNames: [],
      cookies: false,
      unmaskedMediaTypes: [],
      ...more,
    },
    classes,
    revealed: new Set(),
    randomBytes: (length) => crypto.randomBytes(length),
  };
}

/** What is hidden at a path. */
export function testMasks(crypto: Crypto, options: { readonly documents: readonly string[]; readonly at: readonly string[] }): HttpMasks {
  return masksOf(testEnvironment(crypto, options.documents), options.at);
}
