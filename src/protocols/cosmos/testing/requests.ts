import type { Crypto } from '../../../core/crypto.ts';
import type { OpenSession } from '../../../core/effect.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { MaskingMode } from '../../../core/target.ts';
import { compileDataClasses } from '../../../masking/classes.ts';
import type { DataClass } from '../../../masking/types.ts';
import type { AnswerHead, AskedRequest, ReceivedRequest } from '../../request.ts';
import { askCosmos } from '../ask.ts';
import type { CosmosEnvironment } from '../environment.ts';
import { readCosmosTarget } from '../read-target.ts';

export interface EnvironmentOptions {
  readonly revealed?: readonly string[];
  readonly masking?: MaskingMode;
  readonly readOnly?: boolean;
  readonly database?: string;
}

/** An account with one container in which `ssn`, `accounts[*].number` and `salary` are sensitive, and SSNs are looked for everywhere. */
export function environmentWith(crypto: Crypto, options: EnvironmentOptions): CosmosEnvironment {
  return {
    target: {
      name: 'bank',
      masking: options.masking ?? 'taint',
      readOnly: options.readOnly ?? false,
      database: options.database,
      basePath: '',
    },
    classes: classesWith(crypto),
    revealed: new Set(options.revealed),
  };
}

const place = (path: string): NonNullable<DataClass['documents']>[number] => ({ target: 'bank', segments: ['shop', 'customers'], path });
const dataClasses: readonly DataClass[] = [
  {
    name: 'ssn',
    columns: [],
    paths: [],
    documents: [place('$.ssn')],
    detect: [{ kind: 'recogniser', name: 'us-ssn' }],
    mask: 'partial-last4',
  },
  { name: 'account-number', columns: [], paths: [], documents: [place('$.accounts[*].number')], detect: [], mask: 'pseudonym' },
  { name: 'salary', columns: [], paths: [], documents: [place('$.job.salary')], detect: [], mask: 'redact' },
];

function classesWith(crypto: Crypto): CosmosEnvironment['classes'] {
  return compileDataClasses(dataClasses, crypto, new Uint8Array(32));
}

export const customers = '/dbs/shop/colls/customers';

export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export function received({ method, path, headers = {}, body }: Sent): ReceivedRequest {
  const target = readCosmosTarget(path);
  if (target instanceof GatewayFault) throw target;
  const fields = Object.entries({ 'x-ms-version': '2020-07-15', ...headers }).map(([name, value]) => ({ name, value }));
  return {
    method,
    target,
    host: 'gw.example:8443',
    base: 'https://gw.example:8443/cosmos/bank',
    upgrade: undefined,
    fields,
    forwardable: fields.filter(({ name }) => !name.startsWith('sallyport-')),
    body:
      body === undefined
        ? { kind: 'none' }
        : { kind: 'whole', bytes: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)) },
  };
}

export function query(text: string, parameters?: readonly unknown[], headers: Readonly<Record<string, string>> = {}): Sent {
  return {
    method: 'POST',
    path: `${customers}/docs`,
    headers: { 'content-type': 'application/query+json', 'x-ms-documentdb-isquery': 'True', ...headers },
    body: { query: text, ...(parameters === undefined ? {} : { parameters }) },
  };
}

export function asked(sent: Sent, environment: CosmosEnvironment): AskedRequest {
  return askCosmos(received(sent), environment);
}

export const session = { id: 's', nextOperationId: () => 's-1' } as unknown as OpenSession;

/** What the client sees of this answer, or the fault's code and words. */
export function answered(one: AskedRequest, body: unknown, head: Partial<AnswerHead> = {}): string {
  const plan = one.answer({ status: 200, fields: [{ name: 'content-type', value: 'application/json' }], ...head });
  if (plan.kind === 'refuse') return `${plan.fault.code}: ${plan.fault.publicMessage}`;
  if (plan.kind !== 'whole') return plan.kind;
  const shown = plan.mask(new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)));
  return shown instanceof GatewayFault ? `${shown.code}: ${shown.publicMessage}` : new TextDecoder().decode(shown.body);
}
