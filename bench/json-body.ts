import { GatewayFault } from '../src/core/fault.ts';
import { compileDataClasses } from '../src/masking/classes.ts';
import type { DataClass, RecogniserName } from '../src/masking/types.ts';
import { nodeCrypto } from '../src/net/crypto.ts';
import type { HttpEnvironment } from '../src/protocols/http/environment.ts';
import { answerPlan } from '../src/protocols/http/mask.ts';
import { masksOf, recordMasksOf } from '../src/protocols/http/masks.ts';
import { recordedText } from '../src/protocols/http/record-text.ts';
import { sampleOf } from '../src/protocols/http/sample.ts';
import { documentCellMask } from '../src/protocols/postgres/mask-cell.ts';
import { maskContext } from '../src/protocols/postgres/mask-context.ts';
import type { AnswerHead, ReceivedRequest } from '../src/protocols/request.ts';
import { customers } from './parts/customers.ts';
import { now, since, best, type Taken } from './parts/in-process.ts';

/**
 * What JSON costs step by step: microseconds of CPU for a body of 36 customers (11 KB), the best of several runs. `hidden`: three places in each customer, two of them also by detectors, as in
 * `npm run bench -- http`; `open`: no data class; `detected`: by detectors alone. `sample` is what the recording keeps of an answer, `request` what it keeps of a body that the client sends. The
 * rest is the same for texts that are not as plain, for customers one by one, and for the cells of PostgreSQL.
 *
 *     node bench/json-body.ts [<words of a step's name>]
 */
const RUNS = 7;
const MICROSECONDS = 150_000;
const only = process.argv[2] ?? '';

type Kind = 'hidden' | 'open' | 'detected' | 'places';

function environment(kind: Kind): HttpEnvironment {
  const one = (name: string, place: string, detect: readonly RecogniserName[], mask: DataClass['mask']): DataClass => ({
    name,
    columns: [{ target: 'bench', database: undefined, schema: 'public', relation: 'customers', column: 'profile' }],
    paths: [],
    documents:
      kind === 'detected' ? [] : [`$.customers.${place}`, `$.${place}`].map((path) => ({ target: 'bench', segments: ['**'], path })),
    detect: kind === 'places' ? [] : detect.map((name) => ({ kind: 'recogniser', name })),
    mask,
  });
  const all = [
    one('ssn', 'ssn', ['us-ssn'], 'partial-last4'),
    one('card-number', 'card.number', ['card-number'], 'partial-last4'),
    one('phone', 'phone', [], 'redact'),
  ];
  return {
    target: {
      name: 'bench',
      masking: 'taint',
      readOnly: false,
      basePath: '',
      credentialNames: [],
      cookies: false,
      unmaskedMediaTypes: [],
    },
    classes: compileDataClasses(kind === 'open' ? [] : all, nodeCrypto, new Uint8Array(32)),
    revealed: new Set(),
  };
}

const head = (type: string): AnswerHead => ({ status: 200, fields: [{ name: 'content-type', value: type }] });
const json = head('application/json');
const bytesOf = (documents: readonly unknown[]): Buffer => Buffer.from(JSON.stringify({ customers: documents }));
const plain = bytesOf(customers());
const hidesNothing = Buffer.from(plain.toString().replace(/\d{3}-\d\d-\d{4}|4111/g, '****'));
const bodies = {
  plain,
  indented: Buffer.from(JSON.stringify({ customers: customers() }, null, 2)),
  'with escapes': Buffer.from(plain.toString().replaceAll('Long Street,', 'Long Street,\\nthe \\"Annex\\",')),
  'beyond ASCII': Buffer.from(plain.toString().replaceAll('Springfield', 'Königswusterhausen')),
};

/** Masks a whole body as an answer is masked. */
function whole(kind: Kind, body: Uint8Array): () => unknown {
  const settings = environment(kind);
  const masks = masksOf(settings, ['customers']);
  return () => {
    const plan = answerPlan(json, 'GET', settings, masks);
    if (plan.kind === 'pass') return plan;
    const masked = plan.kind === 'whole' ? plan.mask(body) : undefined;
    if (masked === undefined || masked instanceof GatewayFault) throw new Error('it was not masked', { cause: masked });
    return masked;
  };
}

/** `masked`: for whom it was masked already, as for the record. */
function sample(kind: Kind, body: Uint8Array, isMasked: boolean): () => unknown {
  const record = recordMasksOf(environment(kind), ['customers']);
  const masked = isMasked ? (whole(kind, body)() as { body: Uint8Array }).body : undefined;
  return () => sampleOf(json, { bytes: body, isWhole: true, isCoded: false }, record, masked);
}

function pieces(kind: Kind, type: string, body: Uint8Array): () => unknown {
  const settings = environment(kind);
  const plan = answerPlan(head(type), 'GET', settings, masksOf(settings, ['customers']));
  if (plan.kind !== 'pieces') throw new Error(`${type} is ${plan.kind}`);
  return () => {
    const masker = plan.masker();
    return [...masker.push(body), ...masker.end()];
  };
}

function request(kind: Kind, body: Uint8Array): () => unknown {
  const record = recordMasksOf(environment(kind), ['customers']);
  const fields = [{ name: 'content-type', value: 'application/json' }];
  const received: ReceivedRequest = {
    method: 'POST',
    target: { path: '/customers', decodedPath: '/customers', query: undefined, parameters: [] },
    host: 'gw.example',
    base: 'https://gw.example:8443/http/bench',
    upgrade: undefined,
    fields,
    forwardable: fields,
    body: { kind: 'whole', bytes: body },
  };
  return () => recordedText(record, received);
}

/** Cells of type jsonb, one customer each. */
function cells(kind: Kind): () => unknown {
  const { classes } = environment(kind);
  const catalogue = { relationByOid: () => undefined, columnClasses: classes.names, textTypes: new Set<number>() };
  const context = maskContext(classes, catalogue, 'taint', new Set());
  const mask = documentCellMask(context, { name: 'profile', typeOid: 3802, typeModifier: -1, format: 0 }, [
    { class: 'ssn', path: '$.ssn' },
    { class: 'card-number', path: '$.card.number' },
    { class: 'phone', path: '$.phone' },
  ]);
  const values = customers().map((one) => Buffer.from(JSON.stringify(one)));
  return () => values.map((bytes) => mask(bytes, 0, bytes.length));
}

function measure(name: string, make: () => () => unknown): void {
  if (!name.includes(only)) return;
  const once = make();
  const begin = performance.now();
  let times = 0;
  for (; times < 1_000 || performance.now() - begin < 300; times += 1) once();
  times = Math.ceil((times * MICROSECONDS) / 1_000 / (performance.now() - begin));
  const runs: Taken[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const start = now();
    for (let index = 0; index < times; index += 1) once();
    runs.push(since(start));
  }
  console.log(`${name.padEnd(44)} ${best(runs, times).cpu.padStart(7)} µs`);
}

console.log(`a body of ${plain.length} bytes`);
for (const [name, body] of Object.entries(bodies)) {
  measure(`${name}: hidden`, () => whole('hidden', body));
  measure(`${name}: hidden, places alone`, () => whole('places', body));
  measure(`${name}: detected`, () => whole('detected', body));
  measure(`${name}: sample, hidden`, () => sample('hidden', body, true));
  measure(`${name}: sample, hidden only here`, () => sample('hidden', body, false));
  measure(`${name}: sample, open`, () => sample('open', body, false));
  measure(`${name}: request, hidden`, () => request('hidden', body));
  measure(`${name}: request, open`, () => request('open', body));
}
measure('nothing to be found: detected', () => whole('detected', hidesNothing));
measure('nothing to be found: sample, detected', () => sample('detected', hidesNothing, false));
const lines = Buffer.from(
  customers()
    .map((one) => `${JSON.stringify(one)}\n`)
    .join(''),
);
measure('lines: hidden', () => pieces('hidden', 'application/x-ndjson', lines));
measure('lines: detected', () => pieces('detected', 'application/x-ndjson', lines));
const events = Buffer.from(lines.toString().replace(/.+\n/g, 'data: $&\n'));
measure('events: hidden', () => pieces('hidden', 'text/event-stream', events));
measure('events: detected', () => pieces('detected', 'text/event-stream', events));
measure('jsonb, 36 cells: hidden', () => cells('hidden'));
