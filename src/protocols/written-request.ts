import { GatewayFault, toFault } from '../core/fault.ts';
import type { Protocol } from '../core/target.ts';
import { isToken } from './http/head-names.ts';
import { checkedHead } from './http/head.ts';
import type { CanonicalTarget, HeaderField, ReceivedRequest, RequestDialect } from './request.ts';

/** The text is no request: who wrote it meant something else. Nothing is said about it. */
export class NotARequest extends GatewayFault {
  constructor(expected: string) {
    super('unclassified', { publicMessage: expected });
  }
}

/**
 * The request that a person wrote down, as an HTTP message is written: a line with method and path, a line for each header field, an empty line, the body.
 *
 *     POST /dbs/bank/colls/accounts/docs
 *     x-ms-documentdb-is-upsert: true
 *
 *     {"id": "7"}
 *
 * A call of gRPC is its path, `/bank.v1.Ledger/Transfer`, and may have its message in JSON behind it, at which nobody looks. Some words stand for a method and the
 * fields that make it what it is: see `WORDS`. Throws `NotARequest`; gives back the fault where a client that sent it would be refused for how it is written.
 */
export function writtenRequest(text: string, dialect: RequestDialect): ReceivedRequest | GatewayFault {
  const { method, place, fields, body, upgrade } = dialect.name === 'grpc' ? writtenCall(text) : writtenMessage(text, dialect.name);
  const head = checkedHead({
    version: '1.1',
    method,
    target: place,
    rawHeaders: ['host', 'gateway', ...fields.flatMap(({ name, value }) => [name, value])],
  });
  if (head instanceof GatewayFault) return head;
  let target: CanonicalTarget | GatewayFault;
  try {
    target = dialect.readTarget(place);
  } catch (error) {
    target = toFault(error);
  }
  if (target instanceof GatewayFault) return target;
  const ofTheClient = ({ name }: HeaderField): boolean => name !== 'host';
  return {
    method,
    target,
    // Who wrote it down did not say.
    host: '',
    base: '',
    upgrade,
    fields: head.fields.filter(ofTheClient),
    forwardable: head.upstream.filter(ofTheClient),
    body: body === '' ? { kind: 'none' } : { kind: 'whole', bytes: new TextEncoder().encode(body) },
  };
}

interface Written {
  readonly method: string;
  readonly place: string;
  readonly fields: readonly HeaderField[];
  readonly body: string;
  readonly upgrade: ReceivedRequest['upgrade'];
}

function writtenMessage(text: string, protocol: Protocol): Written {
  const { first, fields, body } = partsOf(text);
  const [, word = '', place = ''] = /^([A-Z]+) (\S+)$/.exec(first) ?? [];
  if (word === '') throw new NotARequest(`expected a method and a path, such as ${EXAMPLES[protocol] ?? 'GET /customers/7'}`);
  const meant = WORDS[protocol]?.get(word);
  const said = new Set(fields.map(({ name }) => name.toLowerCase()));
  // Of SDKs for JSON, and of people, who leave it out.
  const media = meant?.media ?? 'application/json';
  const ofItself = [...(meant?.fields ?? []), ...(body === '' || !isJson(body) ? [] : [{ name: 'content-type', value: media }])];
  return {
    method: meant?.method ?? word,
    place,
    fields: [...fields, ...ofItself.filter(({ name }) => !said.has(name))],
    body,
    upgrade: meant?.upgrade,
  };
}

function writtenCall(text: string): Written {
  const [, place = '', rest = ''] = /^\s*(\/\S+)([\s\S]*)$/.exec(text) ?? [];
  if (place === '') throw new NotARequest('expected the path of a method, such as /bank.v1.Ledger/Transfer');
  const isMessage = rest.trimStart().startsWith('{');
  const { fields, body } = isMessage ? { fields: [], body: rest } : partsOf(`${place}${rest}`);
  if (body.trim() !== '' && !isJson(body)) throw new NotARequest('the message behind the path is not JSON');
  const own = { te: 'trailers', 'content-type': 'application/grpc' };
  return {
    method: 'POST',
    place,
    fields: [...fields, ...Object.entries(own).map(([name, value]) => ({ name, value }))],
    body: '',
    upgrade: undefined,
  };
}

function partsOf(text: string): { readonly first: string; readonly fields: readonly HeaderField[]; readonly body: string } {
  const lines = text.trim().split(/\r?\n/);
  const end = lines.findIndex((line) => line.trim() === '');
  const [first = '', ...heads] = lines.slice(0, end < 0 ? undefined : end);
  const fields = heads.map((line) => {
    const [name = '', ...value] = line.split(':');
    if (!isToken(name) || value.length === 0)
      throw new NotARequest('behind the first line expected header fields, and an empty line before the body');
    return { name, value: value.join(':').trim() };
  });
  return { first: first.trim(), fields, body: end < 0 ? '' : lines.slice(end + 1).join('\n') };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

interface Meant {
  readonly method: string;
  readonly fields?: readonly HeaderField[];
  /** Of its body. */
  readonly media?: string;
  readonly upgrade?: ReceivedRequest['upgrade'];
}

const flag = (name: string): readonly HeaderField[] => [{ name, value: 'true' }];

/** What clients do that no method of HTTP says. */
const WORDS: Partial<Record<Protocol, ReadonlyMap<string, Meant>>> = {
  http: new Map([['WEBSOCKET', { method: 'GET', upgrade: 'websocket' }]]),
  cosmos: new Map<string, Meant>([
    ['QUERY', { method: 'POST', fields: flag('x-ms-documentdb-isquery'), media: 'application/query+json' }],
    ['UPSERT', { method: 'POST', fields: flag('x-ms-documentdb-is-upsert') }],
    ['BATCH', { method: 'POST', fields: flag('x-ms-cosmos-is-batch-request') }],
    ['CHANGES', { method: 'GET', fields: [{ name: 'a-im', value: 'Incremental feed' }] }],
  ]),
};

const EXAMPLES: Partial<Record<Protocol, string>> = {
  kubernetes: 'DELETE /api/v1/namespaces/prod/pods/web-1',
  cosmos: 'GET /dbs/bank/colls/accounts/docs/7',
};
