import { RE2JS } from 're2js';
import { parseColumnPath, parseDocumentPath, parseDocumentPlace, parseObjectPlace, PathProblem, targetOf } from './columns.ts';
import type { Protocol } from '../core/target.ts';
import type { ConfigProblem } from './problem.ts';
import type { RawConfig, RawDataClass, RawIssuer } from './schema.ts';
import type { Path, Source } from './source.ts';
import { kindOf, served, protocolExpected, type RawTarget } from './targets.ts';
import type { ColumnPathConfig, DataClassConfig, DocumentPlaceConfig, ListenAddress } from './types.ts';

/**
 * What a file whose shape is right means: every check that needs more than one value, or that needs a value taken apart. Collects
 * all problems instead of stopping at the first.
 */
export class Resolver {
  readonly problems: ConfigProblem[] = [];
  readonly #source: Source;
  readonly #raw: RawConfig;

  constructor(source: Source, raw: RawConfig) {
    this.#source = source;
    this.#raw = raw;
  }

  /** Checks that belong to no single value of the result. */
  checkWhole(): void {
    const { gateway, listeners, targets, issuers } = this.#raw;
    if (gateway.tls === undefined && !gateway.unsafe_plaintext) {
      this.#add(['gateway'], 'required: tls, with certificate and key (or unsafe_plaintext: true)');
    }
    const addresses: { readonly path: Path; readonly address: ListenAddress }[] = [];
    for (const key of ['postgres', 'ssh', 'https', 'api'] as const) this.#listen(['listeners', key], listeners[key], addresses);
    for (const [name, target] of Object.entries(targets)) {
      this.#listen(['targets', name, 'listen'], target.listen, addresses);
    }
    if (addresses.length === 0) this.#add(['listeners'], 'expected at least one of postgres, ssh, https and api');
    for (const [index, issuer] of issuers.entries()) this.#checkIssuer(issuer, index);
    for (const [name, target] of Object.entries(targets)) this.#checkTarget(target, ['targets', name]);
  }

  address(path: Path, value: string | number | undefined): ListenAddress | undefined {
    if (value === undefined) return undefined;
    if (typeof value === 'number') return { host: undefined, port: value };
    const colon = value.lastIndexOf(':');
    const port = Number(value.slice(colon + 1));
    if (port < 1 || port > 65_535) this.#add(path, 'expected a port from 1 to 65535');
    return { host: value.slice(0, colon).replaceAll(/[[\]]/g, ''), port };
  }

  dataClass(name: string, raw: RawDataClass): DataClassConfig {
    const path: Path = ['data_classes', name];
    if (raw.columns.length + raw.paths.length === 0 && [raw.detect].flat().length === 0 && !this.#mayStandInSchema(name)) {
      this.#add(path, 'expected columns, paths or detect: this class protects nothing');
    }
    if (raw.lookup && raw.mask !== 'pseudonym') this.#add([...path, 'lookup'], 'expected mask: pseudonym: nothing else can be turned back');
    if (raw.lookup && raw.columns.length === 0)
      this.#add([...path, 'lookup'], 'expected columns: only what stands in one can be looked up');
    return {
      name,
      columns: raw.columns.flatMap((text, index) => this.#column([...path, 'columns', index], () => parseColumnPath(text)) ?? []),
      paths: raw.paths.flatMap((text, index) => {
        if (this.#hasDocuments(targetOf(text))) return [];
        const at = [...path, 'paths', index];
        const place = this.#read(at, () => parseDocumentPath(text));
        if (place !== undefined) this.#checkColumn(at, place.column);
        return place ?? [];
      }),
      documents: raw.paths.flatMap((text, index) => {
        if (!this.#hasDocuments(targetOf(text))) return [];
        const parse = this.#raw.targets[targetOf(text)]!.protocol === 'kubernetes' ? parseObjectPlace : parseDocumentPlace;
        return this.#read<DocumentPlaceConfig>([...path, 'paths', index], () => parse(text)) ?? [];
      }),
      detect: [raw.detect].flat().map((detector, index) => {
        if (typeof detector === 'string') return { kind: 'recogniser', name: detector };
        this.#checkPattern([...path, 'detect', ...(Array.isArray(raw.detect) ? [index] : []), 'pattern'], detector.pattern);
        return { kind: 'pattern', pattern: detector.pattern };
      }),
      mask: raw.mask ?? 'null',
      ...(raw.lookup ? { lookup: true } : {}),
    };
  }

  /** Fields of messages may name the class in their options, or be of it because they are to be redacted. */
  #mayStandInSchema(dataClass: string): boolean {
    return Object.values(this.#raw.targets).some(
      (target) => target.protocol === 'grpc' && (target.schema?.field_option !== undefined || target.schema?.debug_redact === dataClass),
    );
  }

  #listen(path: Path, value: string | number | undefined, taken: { readonly path: Path; readonly address: ListenAddress }[]): void {
    const address = this.address(path, value);
    if (address === undefined) return;
    const other = taken.find((one) => collide(one.address, address));
    if (other !== undefined) this.#add(path, `expected a port of its own: ${other.path.join('.')} has ${address.port} already`);
    taken.push({ path, address });
  }

  #checkIssuer(issuer: RawIssuer, index: number): void {
    const path: Path = ['issuers', index];
    const earlier = this.#raw.issuers.slice(0, index);
    if (earlier.some((other) => other.name === issuer.name)) this.#add([...path, 'name'], 'expected a name that no other issuer has');
    if (earlier.some((other) => other.issuer === issuer.issuer)) {
      this.#add([...path, 'issuer'], 'expected each issuer once: one person must not be two principals');
    }
    this.#checkUrl([...path, 'issuer'], issuer.issuer, issuer.unsafe_http === true);
    if (issuer.jwks_uri !== undefined) this.#checkUrl([...path, 'jwks_uri'], issuer.jwks_uri, issuer.unsafe_http === true);
    if (Object.keys(issuer.require ?? {}).length === 0 && sharedIssuers.has(hostOf(issuer.issuer))) {
      this.#add(path, 'required: require, with a claim that names your organisation, because this issuer serves everyone');
    }
    for (const [rule, { when }] of (issuer.groups ?? []).entries()) {
      if (Object.keys(when).length === 0)
        this.#add([...path, 'groups', rule, 'when'], 'expected at least one claim: an empty rule is true for everyone');
    }
  }

  #checkUrl(path: Path, text: string, http: boolean): void {
    const url = URL.parse(text);
    const scheme = url?.protocol === 'https:' || (http && url?.protocol === 'http:');
    if (url === null || !scheme || url.username !== '' || url.password !== '' || text.includes('?') || text.includes('#')) {
      this.#add(path, `expected an https:// URL without query, fragment or password${http ? ' (http:// is allowed here)' : ''}`);
    }
  }

  #checkTarget(target: RawTarget, path: Path): void {
    const { upstream, protocol } = target;
    if (!served.has(protocol)) this.#add([...path, 'protocol'], protocolExpected());
    if ('tls' in upstream && upstream.ca !== undefined && upstream.tls.startsWith('unsafe_')) {
      this.#add([...path, 'upstream', 'ca'], 'expected no ca: with this tls it would not be used');
    }
    const add = (below: Path, message: string): void => this.#add([...path, ...below], message);
    const { listeners, targets } = this.#raw;
    const protocolOf = (other: string): Protocol | undefined => new Map(Object.entries(targets)).get(other)?.protocol;
    kindOf(target).check(target, { add, protocolOf, hasHttps: listeners.https !== undefined, hasSsh: listeners.ssh !== undefined });
  }

  /** Its places are those of documents, by paths of requests; it has no columns. */
  #hasDocuments(target: string): boolean {
    return Object.hasOwn(this.#raw.targets, target) && this.#raw.targets[target]!.protocol !== 'postgres';
  }

  #column(path: Path, parse: () => ColumnPathConfig): ColumnPathConfig | undefined {
    const column = this.#read(path, parse);
    if (column !== undefined) this.#checkColumn(path, column);
    return column;
  }

  #checkColumn(path: Path, column: ColumnPathConfig): void {
    if (this.#hasDocuments(column.target)) {
      this.#add(path, 'expected a target that has columns; of this one, name places by paths: target/path/*#$.path');
      return;
    }
    if (Object.hasOwn(this.#raw.targets, column.target)) return;
    this.#add(path, `expected a target of this file first: ${Object.keys(this.#raw.targets).join(', ') || 'there is none'}`);
  }

  #checkPattern(path: Path, pattern: string): void {
    try {
      RE2JS.compile(pattern);
    } catch {
      this.#add(path, 'expected a pattern in RE2 syntax (no look-around, no back-references)');
    }
  }

  #read<T>(path: Path, parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof PathProblem)) throw error;
      this.#add(path, error.message);
      return undefined;
    }
  }

  #add(path: Path, message: string): void {
    this.problems.push(this.#source.problem(path, message));
  }
}

/** Every `unsafe_…` in force, by its path. */
export function unsafeSettings(raw: RawConfig): string[] {
  return [
    ...(raw.gateway.unsafe_plaintext ? ['gateway.unsafe_plaintext'] : []),
    ...raw.issuers.flatMap((issuer, index) => (issuer.unsafe_http === true ? [`issuers[${index}].unsafe_http`] : [])),
    ...Object.entries(raw.targets).flatMap(([name, target]) => {
      const { upstream, masking } = target;
      return [
        ...kindOf(target).unsafe(target),
        ...('tls' in upstream && upstream.tls.startsWith('unsafe_') ? [`upstream.tls: ${upstream.tls}`] : []),
        ...(masking.startsWith('unsafe_') ? [`masking: ${masking}`] : []),
      ].map((setting) => `targets.${name}.${setting}`);
    }),
  ];
}

function collide(a: ListenAddress, b: ListenAddress): boolean {
  return a.port === b.port && (a.host === undefined || b.host === undefined || a.host === b.host);
}

function hostOf(url: string): string {
  return URL.parse(url)?.hostname ?? '';
}

/** Issuers at which anyone can have a token with any audience: without a required claim, the whole world could sign in. */
const sharedIssuers: ReadonlySet<string> = new Set([
  'token.actions.githubusercontent.com',
  'gitlab.com',
  'agent.buildkite.com',
  'accounts.google.com',
  'app.terraform.io',
]);
