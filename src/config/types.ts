import type { IssuerConfig } from './issuer.ts';
import type { Secret } from './secret.ts';
import type { TargetConfig } from './targets.ts';

/**
 * The whole configuration, read and checked: `sallyport.yaml`, what it refers to, and the policy files. Immutable. Durations are in
 * milliseconds, paths are absolute, defaults are filled in, secrets are read (and print as their reference).
 */
export interface Config {
  /** Absolute path of `sallyport.yaml`. */
  readonly file: string;
  readonly gateway: GatewayConfig;
  readonly listeners: ListenersConfig;
  /** In the order of the file. Names are unique. */
  readonly issuers: readonly IssuerConfig[];
  /** In the order of the file. Names are unique. */
  readonly targets: readonly TargetConfig[];
  readonly dataClasses: readonly DataClassConfig[];
  readonly policies: PoliciesConfig;
  readonly audit: AuditConfig;
  readonly roles: RolesConfig;
  readonly session: { readonly maxLifetimeMs: number };
  readonly credentials: { readonly maxLifetimeMs: number; readonly outliveToken: boolean };
  /** Every `unsafe_…` in force, by its path in the file: `gateway.unsafe_plaintext`, `targets.orders.masking: unsafe_origin`. */
  readonly unsafe: readonly string[];
  /** SHA-256, hex, of what is in force: the resolved file, certificates and policy files. Never of a secret's value. */
  readonly digest: string;
  /** What `sallyport check` shows: plain data in the file's own words, defaults filled in, secrets as their references. */
  readonly resolved: Readonly<Record<string, unknown>>;
  /** Absolute paths whose change makes this configuration stale: the file, the policies folder and its files, every `file:` reference. */
  readonly watched: readonly string[];
}

export interface GatewayConfig {
  readonly name: string;
  /** The name under which clients reach the gateway. */
  readonly host: string;
  /** PEM, certificate chain with the leaf first. Undefined only with `unsafePlaintext`. */
  readonly tls: { readonly certificate: Secret; readonly key: Secret } | undefined;
  /** Folder of embedded state, audit log and recordings. */
  readonly data: string;
  /** Processes that serve clients; 1: this one. */
  readonly workers: number;
  /** Accept clients that do not encrypt. */
  readonly unsafePlaintext: boolean;
  /** Base of every link given to people, without a trailing slash: `https://gw.bank.example:8080`. */
  readonly apiUrl: string;
}

/** `host: undefined` is every interface of the machine, IPv6 and IPv4. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

export interface ListenersConfig {
  readonly postgres: ListenAddress | undefined;
  readonly ssh: ListenAddress | undefined;
  readonly https: ListenAddress | undefined;
  readonly api: ListenAddress | undefined;
}

export interface ColumnPathConfig {
  readonly target: string;
  readonly database: string | undefined;
  readonly schema: string;
  readonly relation: string;
  readonly column: string;
}

/** Structurally the `DocumentPlace` of `masking/types.ts`. */
export interface DocumentPlaceConfig {
  readonly target: string;
  /** Segments of a canonical path, decoded; `*` is any one, `**` (last) any rest, also none. */
  readonly segments: readonly string[];
  /** `$.customer.ssn`. */
  readonly path: string;
}

export type RecogniserName = 'card-number' | 'us-ssn' | 'aba-routing' | 'iban' | 'email' | 'phone';

/** Structurally the `DataClass` of `masking/types.ts`, which stands above this layer. */
export interface DataClassConfig {
  readonly name: string;
  readonly columns: readonly ColumnPathConfig[];
  readonly paths: readonly { readonly column: ColumnPathConfig; readonly path: string }[];
  /** Places in JSON that targets of request protocols answer with. */
  readonly documents: readonly DocumentPlaceConfig[];
  readonly detect: readonly (
    | { readonly kind: 'recogniser'; readonly name: RecogniserName }
    | { readonly kind: 'pattern'; readonly pattern: string }
  )[];
  readonly mask: 'redact' | 'partial-last4' | 'hash' | 'pseudonym' | 'null';
  /** Only with `pseudonym`. Left out: no. */
  readonly lookup?: true;
}

export interface PoliciesConfig {
  readonly folder: string;
  /** The folder's `.cedar` files as they were read together with the configuration, sorted by name. */
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

export interface AuditConfig {
  readonly durability: 'disk' | 'process';
  readonly retainMs: number;
}

export type RoleName = 'admin' | 'reviewer' | 'auditor' | 'operator';

/** Groups whose members hold the role at the API and console. */
export type RolesConfig = Readonly<Record<RoleName, readonly string[]>>;
