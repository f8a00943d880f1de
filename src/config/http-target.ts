import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { flag, list, strict } from './schema-parts.ts';
import type { AnyTargetConfig, TargetKind } from './target-kind.ts';

export const httpTarget = strict({
  protocol: z.literal('http'),
  ...requestTarget,
  cookies: flag.default(false).describe('Cookies pass both ways. Otherwise clients and target never see each other’s.'),
  unsafe_unmasked_media_types: list(
    z
      .string({ error: mediaTypeExpected() })
      .regex(/^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/, { error: mediaTypeExpected() }),
    'media types',
  )
    .default([])
    .describe('Media types that pass as they are although nobody can look for sensitive values in them, such as application/zip.'),
});

export type RawHttpTarget = z.output<typeof httpTarget>;

export interface HttpTargetConfig extends AnyTargetConfig {
  readonly protocol: 'http';
  readonly upstream: RequestUpstream;
  /** Cookies pass both ways. */
  readonly cookies: boolean;
  /** Lower case, without parameters: they pass although nobody can look into them. */
  readonly unmaskedMediaTypes: readonly string[];
}

export const httpTargets: TargetKind<RawHttpTarget, HttpTargetConfig> = {
  check: checkRequestTarget,
  async read({ upstream, cookies, unsafe_unmasked_media_types: unmaskedMediaTypes }, common, secret) {
    return { ...common, protocol: 'http', upstream: await readRequestUpstream(upstream, secret), cookies, unmaskedMediaTypes };
  },
  unsafe: ({ unsafe_unmasked_media_types: types }) => (types.length === 0 ? [] : [`unsafe_unmasked_media_types: ${types.join(', ')}`]),
  certificates: ({ upstream }) => [upstream.ca, upstream.certificate],
};

function mediaTypeExpected(): string {
  return 'expected a media type in lower case without parameters, such as application/zip';
}
