import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Limits } from '../core/limits.ts';
import { checkShape } from './check.ts';
import { checkDescriptorSets } from './descriptor-sets.ts';
import { durationMs } from './duration.ts';
import { ConfigError, type ConfigProblem } from './problem.ts';
import { notShown } from './postgres-target.ts';
import { Resolver, unsafeSettings } from './resolve.ts';
import type { RawConfig } from './schema.ts';
import { SecretReader } from './secret-reader.ts';
import type { Secret } from './secret.ts';
import type { SecretSources } from './secrets/sources.ts';
import { readSource, type Path, type Source } from './source.ts';
import type { ReadSecret } from './target-kind.ts';
import { kindOf, type RawTarget, type TargetConfig } from './targets.ts';
import type { Config, ListenAddress, PoliciesConfig } from './types.ts';

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
  const [tls, targets, policies] = await Promise.all([
    readTls(raw!, secrets),
    readTargets(raw!, secrets, resolver),
    readPolicies(policyFolder, source),
  ]);
  checkDescriptorSets(
    targets,
    dataClasses,
    (name) => raw!.data_classes[name]?.paths ?? [],
    (path, message) => secrets.add(path, message),
  );
  for (const path of secrets.files) watched.add(path);
  refuse([...secrets.problems, ...policies.problems], [...watched]);
  for (const { name } of policies.files) watched.add(join(policyFolder, name));

  const listeners = {
    postgres: resolver.address(['listeners', 'postgres'], raw!.listeners.postgres),
    ssh: resolver.address(['listeners', 'ssh'], raw!.listeners.ssh),
    https: resolver.address(['listeners', 'https'], raw!.listeners.https),
    api: resolver.address(['listeners', 'api'], raw!.listeners.api),
  };
  const view = redact(raw!);
  const certificates = [tls?.certificate, ...targets.flatMap((target) => kindOf(target).certificates(target))].filter(
    (one) => one !== undefined,
  );
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
    unsafe: unsafeSettings(raw!),
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

async function readTls({ gateway: { tls } }: RawConfig, secrets: SecretReader): Promise<Config['gateway']['tls']> {
  const [certificate, key] = await Promise.all([
    secrets.readOptional(['gateway', 'tls', 'certificate'], tls?.certificate),
    secrets.readOptional(['gateway', 'tls', 'key'], tls?.key),
  ]);
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

function readTargets({ targets }: RawConfig, secrets: SecretReader, resolver: Resolver): Promise<readonly TargetConfig[]> {
  return Promise.all(
    Object.entries(targets).map(([name, target]) => {
      const at: Path = ['targets', name];
      const common = {
        name,
        labels: target.labels,
        masking: target.masking,
        hold: target.hold,
        limits: target.limits === undefined ? undefined : limitsOf(target.limits),
        requireReason: target.require_reason,
        readOnly: target.read_only,
        listen: resolver.address([...at, 'listen'], target.listen),
      };
      const secret = Object.assign((path: Path, reference: string | undefined) => secrets.readOptional([...at, ...path], reference), {
        add: (path: Path, message: string) => secrets.add([...at, ...path], message),
      }) as ReadSecret;
      return kindOf(target).read(target, common, secret, (path, reference) => secrets.readBytes([...at, ...path], reference));
    }),
  );
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
    if (target.protocol !== 'postgres' || target.upstream.unsafe_password === undefined) return [name, target] as const;
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
