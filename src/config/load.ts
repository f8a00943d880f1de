import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Limits } from '../core/limits.ts';
import { checkShape } from './check.ts';
import { durationMs } from './duration.ts';
import { ConfigError, type ConfigProblem } from './problem.ts';
import { readHttpUrl, Resolver, unsafeSettings } from './resolve.ts';
import type { RawConfig, RawTarget } from './schema.ts';
import { Secret } from './secret.ts';
import { readSecret } from './secrets/read.ts';
import { parseReference } from './secrets/reference.ts';
import { SecretProblem, type SecretSources } from './secrets/sources.ts';
import { readSource, type Path, type Source } from './source.ts';
import type { Config, HttpCredential, HttpUpstream, ListenAddress, PoliciesConfig, PostgresUpstream, TargetConfig } from './types.ts';

export type LoadOptions = Partial<Omit<SecretSources, 'folder'>>;

/** Reads, checks and resolves `sallyport.yaml` with everything that it refers to. Throws `ConfigError` with every problem found. */
export async function loadConfig(path: string, options: LoadOptions = {}): Promise<Config> {
  const file = resolve(path);
  const folder = dirname(file);
  const source = readSource(file, await readConfigFile(file));
  refuse(source.problems, [file]);
  const { raw, problems } = checkShape(source);
  refuse(problems, [file]);

  const resolver = new Resolver(source, raw!);
  resolver.checkWhole();
  const dataClasses = Object.entries(raw!.data_classes).map(([name, dataClass]) => resolver.dataClass(name, dataClass));
  refuse(resolver.problems, [file]);

  const policyFolder = resolve(folder, raw!.policies);
  const watched = new Set([file, policyFolder]);
  const secrets = new SecretReader(source, { folder, env: process.env, fetch, now: Date.now, ...options });
  const [{ tls, upstreams, certificates }, policies] = await Promise.all([readSecrets(raw!, secrets), readPolicies(policyFolder, source)]);
  for (const path of secrets.files) watched.add(path);
  refuse([...secrets.problems, ...policies.problems], [...watched]);
  for (const { name } of policies.files) watched.add(join(policyFolder, name));

  const targets = Object.entries(raw!.targets).map(([name, target]): TargetConfig => {
    const common = {
      name,
      labels: target.labels,
      masking: target.masking,
      hold: target.hold,
      limits: target.limits === undefined ? undefined : limitsOf(target.limits),
      requireReason: target.require_reason,
      readOnly: target.read_only,
    };
    if (target.protocol === 'http') {
      const { cookies, unsafe_unmasked_media_types: unmaskedMediaTypes } = target;
      return { ...common, protocol: 'http', upstream: upstreams.http.get(name)!, cookies, unmaskedMediaTypes };
    }
    const listen = resolver.address(['targets', name, 'listen'], target.listen);
    return { ...common, protocol: 'postgres', upstream: upstreams.postgres.get(name)!, listen, clientAuth: target.client_auth };
  });
  const listeners = {
    postgres: resolver.address(['listeners', 'postgres'], raw!.listeners.postgres),
    https: resolver.address(['listeners', 'https'], raw!.listeners.https),
    api: resolver.address(['listeners', 'api'], raw!.listeners.api),
  };
  const view = redact(raw!);
  return {
    file,
    gateway: {
      name: raw!.gateway.name,
      host: raw!.gateway.host,
      tls,
      data: resolve(folder, raw!.gateway.data),
      workers: raw!.gateway.workers,
      unsafePlaintext: raw!.gateway.unsafe_plaintext,
      apiUrl: apiUrl(raw!, listeners.api),
    },
    listeners,
    issuers: raw!.issuers.map(({ max_lifetime: lifetime, ...issuer }) =>
      lifetime === undefined ? issuer : { ...issuer, max_lifetime: durationMs(lifetime) / 1000 },
    ),
    targets,
    dataClasses,
    policies: { folder: policyFolder, files: policies.files },
    audit: { durability: raw!.audit.durability, retainMs: durationMs(raw!.audit.retain) },
    roles: raw!.roles,
    session: { maxLifetimeMs: durationMs(raw!.session.max_lifetime) },
    credentials: { maxLifetimeMs: durationMs(raw!.credentials.max_lifetime), outliveToken: raw!.credentials.outlive_token },
    unsafe: unsafeSettings(raw!, targets),
    digest: digest(view, certificates, policies.files),
    resolved: view,
    watched: [...watched],
  };
}

function limitsOf(raw: NonNullable<RawTarget['limits']>): Limits {
  const { statement_timeout: timeout } = raw;
  const ofRows = 'rows' in raw || 'rows_per_minute' in raw ? raw : undefined;
  const all = {
    rows: ofRows?.rows,
    bytes: raw.bytes,
    statementTimeoutMs: timeout === undefined ? undefined : durationMs(timeout),
    operationsPerMinute: raw.operations_per_minute,
    rowsPerMinute: ofRows?.rows_per_minute,
    concurrentSessions: raw.concurrent_sessions,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

interface SecretParts {
  readonly tls: { readonly certificate: Secret; readonly key: Secret } | undefined;
  readonly upstreams: { readonly postgres: ReadonlyMap<string, PostgresUpstream>; readonly http: ReadonlyMap<string, HttpUpstream> };
  /** What is referred to but no secret: certificates and authorities. They count in the digest. */
  readonly certificates: readonly Secret[];
}

/** Reads secrets and keeps what went wrong, so that all problems are reported together. */
class SecretReader {
  readonly problems: ConfigProblem[] = [];
  readonly files: string[] = [];
  readonly #source: Source;
  readonly #sources: SecretSources;

  constructor(source: Source, sources: SecretSources) {
    this.#source = source;
    this.#sources = sources;
  }

  async read(path: Path, reference: string): Promise<Secret> {
    const parsed = parseReference(reference);
    if (parsed?.kind === 'file') this.files.push(resolve(this.#sources.folder, parsed.path));
    try {
      const secret = await readSecret(reference, this.#sources);
      secret.text();
      return secret;
    } catch (error) {
      const message = error instanceof SecretProblem ? error.message : 'expected text in UTF-8';
      this.problems.push(this.#source.problem(path, message));
      return new Secret(reference, new Uint8Array());
    }
  }

  async readOptional(path: Path, reference: string | undefined): Promise<Secret | undefined> {
    return reference === undefined ? undefined : this.read(path, reference);
  }
}

async function readSecrets(raw: RawConfig, secrets: SecretReader): Promise<SecretParts> {
  const { tls } = raw.gateway;
  const [certificate, key] = await Promise.all([
    secrets.readOptional(['gateway', 'tls', 'certificate'], tls?.certificate),
    secrets.readOptional(['gateway', 'tls', 'key'], tls?.key),
  ]);
  const postgres = new Map<string, PostgresUpstream>();
  const http = new Map<string, HttpUpstream>();
  await Promise.all(
    Object.entries(raw.targets).map(async ([name, target]) => {
      const at: Path = ['targets', name, 'upstream'];
      if (target.protocol === 'http') http.set(name, await readHttpUpstream(target.upstream, at, secrets));
      else postgres.set(name, await readPostgresUpstream(target.upstream, at, secrets));
    }),
  );
  const certificates = [
    certificate,
    ...Object.keys(raw.targets).flatMap((name) => [postgres.get(name)?.ca ?? http.get(name)?.ca, postgres.get(name)?.certificate]),
  ];
  return {
    tls: certificate === undefined || key === undefined ? undefined : { certificate, key },
    upstreams: { postgres, http },
    certificates: certificates.filter((one) => one !== undefined),
  };
}

type RawUpstream<P extends RawTarget['protocol']> = Extract<RawTarget, { protocol: P }>['upstream'];

async function readPostgresUpstream(upstream: RawUpstream<'postgres'>, at: Path, secrets: SecretReader): Promise<PostgresUpstream> {
  const [password, ca, certificate, key] = await Promise.all([
    secrets.readOptional([...at, 'password'], upstream.password),
    secrets.readOptional([...at, 'ca'], upstream.ca),
    secrets.readOptional([...at, 'certificate'], upstream.certificate),
    secrets.readOptional([...at, 'key'], upstream.key),
  ]);
  const literal = upstream.unsafe_password;
  const unsafePassword = literal === undefined ? undefined : new Secret(notShown, new TextEncoder().encode(literal));
  const { host, port, database, user, tls } = upstream;
  return { host, port, database, user, password: password ?? unsafePassword, tls, ca, certificate, key };
}

async function readHttpUpstream(upstream: RawUpstream<'http'>, at: Path, secrets: SecretReader): Promise<HttpUpstream> {
  const { host, port, basePath } = readHttpUrl(upstream.url)!;
  const [ca, credential] = await Promise.all([
    secrets.readOptional([...at, 'ca'], upstream.ca),
    readCredential(upstream.credential, [...at, 'credential'], secrets),
  ]);
  return { host, port, basePath, tls: upstream.tls, ca, credential };
}

async function readCredential(
  raw: RawUpstream<'http'>['credential'],
  at: Path,
  secrets: SecretReader,
): Promise<HttpCredential | undefined> {
  if (raw === undefined) return undefined;
  if ('bearer' in raw) return { kind: 'bearer', token: await secrets.read([...at, 'bearer'], raw.bearer) };
  if ('basic' in raw) {
    return { kind: 'basic', user: raw.basic.user, password: await secrets.read([...at, 'basic', 'password'], raw.basic.password) };
  }
  return { kind: 'header', name: raw.header.name, value: await secrets.read([...at, 'header', 'value'], raw.header.value) };
}

async function readPolicies(
  folder: string,
  source: Source,
): Promise<{ readonly files: PoliciesConfig['files']; readonly problems: readonly ConfigProblem[] }> {
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.cedar') && !name.startsWith('.')).sort();
    const files = await Promise.all(names.map(async (name) => ({ name, text: decodeText(await readFile(join(folder, name))) })));
    if (files.length > 0) return { files, problems: [] };
    return { files, problems: [source.problem(['policies'], `expected at least one .cedar file in ${folder}`)] };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'not UTF-8';
    return { files: [], problems: [source.problem(['policies'], `expected a readable folder of .cedar files: ${folder} (${reason})`)] };
  }
}

async function readConfigFile(file: string): Promise<string> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > maximumFileBytes) throw new RangeError('too large');
    return decodeText(bytes);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'not UTF-8, or too large';
    throw new ConfigError([{ file, line: 1, column: 1, path: '', message: `expected a readable file (${reason})` }], [file]);
  }
}

function decodeText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

/** The file's own words with defaults filled in. References are shown as they are; a literal secret is not. */
function redact(raw: RawConfig): Record<string, unknown> {
  const targets = Object.entries(raw.targets).map(([name, target]) => {
    if (target.protocol === 'http' || target.upstream.unsafe_password === undefined) return [name, target] as const;
    return [name, { ...target, upstream: { ...target.upstream, unsafe_password: notShown } }] as const;
  });
  return { ...raw, targets: Object.fromEntries(targets) };
}

/** SHA-256 over length-prefixed parts, so that no two sets of files read alike. */
function digest(view: Record<string, unknown>, certificates: readonly Secret[], policies: PoliciesConfig['files']): string {
  const hash = createHash('sha256');
  const add = (part: string | Uint8Array): void => {
    const bytes = Buffer.from(part as Uint8Array);
    hash.update(`${bytes.length}:`).update(bytes);
  };
  add(JSON.stringify(sortKeys(view)));
  for (const certificate of certificates) for (const part of [certificate.reference, certificate.reveal()]) add(part);
  for (const { name, text } of policies) for (const part of [name, text]) add(part);
  return hash.digest('hex');
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}

function apiUrl(raw: RawConfig, api: ListenAddress | undefined): string {
  const host = raw.gateway.host.includes(':') ? `[${raw.gateway.host}]` : raw.gateway.host;
  return `${raw.gateway.tls === undefined ? 'http' : 'https'}://${host}:${api?.port ?? defaultApiPort}`;
}

function refuse(problems: readonly ConfigProblem[], watched: readonly string[]): void {
  if (problems.length > 0) throw new ConfigError(problems, watched);
}

const maximumFileBytes = 1024 * 1024;
const defaultApiPort = 8080;
/** Stands for a literal secret wherever the configuration is shown. */
const notShown = '(in the file, not shown)';
