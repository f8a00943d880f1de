import { z } from 'zod';
import { mayBeOneParameter, parameterParts, unfitField, unfitParameter } from '../protocols/http/fact-names.ts';
import { spelledOut } from '../protocols/http/head-names.ts';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { readOpenApi, type OpenApiOperation } from './openapi.ts';
import { choice, flag, list, strict } from './schema-parts.ts';
import type { Secret } from './secret.ts';
import type { AddProblem, AnyTargetConfig, TargetKind } from './target-kind.ts';
import { credentialFieldNames } from './upstream-credential.ts';

export const httpTarget = strict({
  protocol: z.literal('http'),
  ...requestTarget,
  upstream: requestTarget.upstream.extend({
    http_version: z
      .literal([1.1, 2], { error: 'expected 1.1 or 2' })
      .default(1.1)
      .describe('The HTTP that the target is spoken to in. 2: TLS must agree on it; with unsafe_disable, with prior knowledge.'),
  }),
  cookies: flag.default(false).describe('Cookies pass both ways. Otherwise clients and target never see each other’s.'),
  body_facts: z
    .record(
      z.string({ error: factExpected() }).regex(/^[a-z][a-z0-9_]{0,62}$/, { error: factExpected() }),
      z
        .string({ error: placeExpected() })
        .regex(/^\$(?:\.[A-Za-z_][A-Za-z0-9_-]{0,63}|\[\d{1,6}\]|\[\*\]|\.\*){1,16}$/, { error: placeExpected() }),
      { error: factExpected() },
    )
    .refine((facts) => Object.keys(facts).length <= 32, { error: 'expected at most 32 places' })
    .optional()
    .describe(
      'Values in the bodies of requests that policy asks about, by name, such as { currency: $.currency }: context.body has "currency=EUR".',
    ),
  query_facts: namesOf('query parameters', /^[A-Za-z_$][A-Za-z0-9_$.:-]{0,63}(?:\[[A-Za-z0-9_$.:-]{1,64}\]){0,3}$/, 'status').describe(
    'Query parameters whose values policy asks about, such as [status]: context.query has "status=open".',
  ),
  header_facts: namesOf('header fields', /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'X-Tenant').describe(
    'Header fields of requests whose values policy asks about, such as [X-Tenant]: context.headers has "x-tenant=7".',
  ),
  openapi: z
    .string({ error: fileExpected() })
    .regex(/^file:[^\n]+$/, { error: fileExpected() })
    .optional()
    .describe('OpenAPI document, 3.0 or 3.1: its operationIds are what policy is asked about, as Method::"target/operationId".'),
  openapi_unlisted: choice(['path', 'deny'])
    .default('path')
    .describe('Requests that the document does not list: path: policy is asked about their path. deny: they are refused.'),
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
  readonly upstream: RequestUpstream & { readonly httpVersion: HttpVersion };
  /** Cookies pass both ways. */
  readonly cookies: boolean;
  /** Places in JSON, `$.currency`, by name. Undefined: policy asks about no body. */
  readonly bodyFacts: Readonly<Record<string, string>> | undefined;
  /** Names of query parameters. Undefined: policy asks about the value of none. */
  readonly queryFacts: readonly string[] | undefined;
  /** The same of header fields, in lower case. */
  readonly headerFacts: readonly string[] | undefined;
  /** Undefined: there is no document. */
  readonly openapi: OpenApiConfig | undefined;
  /** Lower case, without parameters: they pass although nobody can look into them. */
  readonly unmaskedMediaTypes: readonly string[];
}

/** That a target is spoken to in. */
export type HttpVersion = 1.1 | 2;

interface OpenApiConfig {
  readonly document: Secret;
  readonly operations: readonly OpenApiOperation[];
  readonly unlisted: 'path' | 'deny';
}

export const httpTargets: TargetKind<RawHttpTarget, HttpTargetConfig> = {
  check(raw, context) {
    checkRequestTarget(raw, context);
    if (raw.openapi === undefined && raw.openapi_unlisted !== 'path') {
      context.add(['openapi_unlisted'], 'expected openapi, the document that lists them');
    }
    checkFactNames(raw, context.add);
  },
  async read(raw, common, secret) {
    const [read, document] = await Promise.all([readRequestUpstream(raw.upstream, secret), secret(['openapi'], raw.openapi)]);
    const upstream = { ...read, httpVersion: raw.upstream.http_version };
    const { cookies, body_facts: bodyFacts, query_facts: queryFacts, unsafe_unmasked_media_types: unmaskedMediaTypes } = raw;
    const facts = { bodyFacts, queryFacts, headerFacts: raw.header_facts?.map((name) => name.toLowerCase()) };
    return { ...common, protocol: 'http', upstream, cookies, ...facts, openapi: openApiOf(raw, document, secret.add), unmaskedMediaTypes };
  },
  unsafe: ({ unsafe_unmasked_media_types: types }) => (types.length === 0 ? [] : [`unsafe_unmasked_media_types: ${types.join(', ')}`]),
  certificates: ({ upstream, openapi }) => [upstream.ca, upstream.certificate, openapi?.document],
};

/** A policy on what the target does not see, or sees otherwise, would be passed by. */
function checkFactNames(raw: RawHttpTarget, add: AddProblem): void {
  const { query_facts: parameters = [], header_facts: fields = [], upstream } = raw;
  for (const [name, place] of Object.entries(raw.body_facts ?? {})) {
    const unfit = [name, ...place.split(/[^A-Za-z0-9_-]+/)].map(unfitParameter).find((why) => why !== undefined);
    if (unfit !== undefined) add(['body_facts', name], `expected a value that policy can go by: this one ${unfit}`);
  }
  for (const [index, name] of parameters.entries()) {
    const unfit = unfitParameter(name);
    const twin = parameters.slice(0, index).find((other) => mayBeOneParameter(parameterParts(other), parameterParts(name)));
    if (unfit !== undefined) add(['query_facts', index], `expected a parameter that policy can go by: this one ${unfit}`);
    else if (twin !== undefined) add(['query_facts', index], `expected another parameter than ${twin}: some servers take this one for it`);
  }
  const own = credentialFieldNames(upstream.credential).map(spelledOut);
  for (const [index, name] of fields.entries()) {
    const spelled = spelledOut(name);
    const unfit = unfitField(name) ?? (own.includes(spelled) ? 'is the gateway’s own credential' : undefined);
    const twin = fields.slice(0, index).find((other) => spelledOut(other) === spelled);
    if (unfit !== undefined) add(['header_facts', index], `expected a header that policy can go by: this one ${unfit}`);
    else if (twin !== undefined) add(['header_facts', index], `expected another header than ${twin}: some servers take this one for it`);
  }
}

function namesOf(what: string, form: RegExp, example: string) {
  const error = `expected names of ${what}, such as [${example}]`;
  return list(z.string({ error }).regex(form, { error }), `${what}, such as [${example}]`)
    .max(32, { error: `expected at most 32 ${what}` })
    .optional();
}

function openApiOf(
  { openapi_unlisted: unlisted }: RawHttpTarget,
  document: Secret | undefined,
  add: AddProblem,
): OpenApiConfig | undefined {
  // What could not be read at all is told already.
  if (document === undefined || document.reveal().length === 0) return undefined;
  const operations = readOpenApi(document.text());
  if (typeof operations !== 'string') return { document, operations, unlisted };
  add(['openapi'], operations);
  return undefined;
}

function factExpected(): string {
  return 'expected names and places, such as { currency: $.currency }';
}

function placeExpected(): string {
  return 'expected a place in JSON, such as $.transfer.currency';
}

function fileExpected(): string {
  return 'expected file: and the path of an OpenAPI document, relative to this file';
}

function mediaTypeExpected(): string {
  return 'expected a media type in lower case without parameters, such as application/zip';
}
