import type pg from 'pg';
import type { Config, PostgresTargetConfig, RequestTargetConfig, Secret, SshTargetConfig, TargetConfig } from '../../config/index.ts';
import { unknownTarget } from '../../core/pipeline-faults.ts';
import type { Target } from '../../core/target.ts';
import { compileDataClasses, type DataClasses } from '../../masking/classes.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { CatalogueReader } from '../../net/postgres-catalogue.ts';
import type { UpstreamAddress, UpstreamTls } from '../../net/upstream.ts';
import type { Definitions, PostgresTarget } from '../../protocols/postgres/index.ts';
import type { Analysis } from '../../sql/statement.ts';
import type { GrpcSchema } from '../../protocols/grpc/index.ts';
import { configuredSchema } from './grpc-schema.ts';
import { abandon, overOrLate, type DefinitionBook } from './definition-book.ts';

export interface TargetsOptions {
  readonly maskingKey: Uint8Array;
  readonly analyse: (sql: string) => Analysis;
  readonly report: (what: string, error: unknown) => void;
  readonly definitions: DefinitionBook;
}

/** The targets of one configuration, with their catalogues. A reload makes a new one; open sessions keep theirs. */
export class Targets {
  readonly classes: DataClasses;
  readonly #options: TargetsOptions;
  readonly #byName: ReadonlyMap<string, TargetConfig>;
  readonly #catalogues = new Map<string, CatalogueReader>();
  readonly #dataClasses: Config['dataClasses'];
  readonly #grpcSchemas: ReadonlyMap<string, GrpcSchema | undefined>;
  readonly #checked = new WeakSet<CatalogueReader>();

  constructor(config: Config, options: TargetsOptions) {
    this.#options = options;
    this.#byName = new Map(config.targets.map((target) => [target.name, target]));
    this.#dataClasses = config.dataClasses;
    this.classes = compileDataClasses(config.dataClasses, nodeCrypto, options.maskingKey);
    this.#grpcSchemas = new Map(
      config.targets.flatMap((target) => (target.protocol === 'grpc' ? [[target.name, configuredSchema(target)]] : [])),
    );
  }

  find(name: string): Target | undefined {
    return this.#byName.get(name);
  }

  postgres(name: string): PostgresTarget {
    const { upstream } = this.#postgres(name);
    return {
      name,
      user: upstream.user,
      password: upstream.password?.text(),
      database: upstream.database,
      tls: upstream.tls !== 'unsafe_disable',
      classes: this.classes,
      catalogue: (database) => this.#reader(name, database).current(),
      catalogueStale: (database, what) => this.#reader(name, database).markStale(what),
      catalogueSettled: (database) => this.#reader(name, database).settled(),
      catalogueAfterwards: (database) => this.#reader(name, database).afterwards(),
      definitions: (database) => this.#definitions(name, database),
      definitionsOver: (database) => overOrLate(this.#definitions(name, database)),
      definitionAbandoned: (database, definition) => abandon(this.#definitions(name, database), definition),
      catalogueMissed: (database) => this.#reader(name, database).missed(),
    };
  }

  /** Waits for the catalogue that a session needs. Throws `upstream-unavailable`. */
  async prepare(name: string, database: string | undefined): Promise<void> {
    const reader = this.#reader(name, database ?? this.#postgres(name).upstream.database);
    await reader.ready();
    if (!this.#checked.has(reader)) this.#reportMissingColumns(name, database, reader);
  }

  /** A data class on a column that is not there masks nothing: perhaps a spelling mistake, which nobody else would notice. */
  #reportMissingColumns(name: string, database: string | undefined, reader: CatalogueReader): void {
    this.#checked.add(reader);
    const catalogue = reader.current();
    for (const dataClass of this.#dataClasses) {
      for (const path of [...dataClass.columns, ...dataClass.paths.map(({ column }) => column)]) {
        if (path.target !== name || path.database !== database) continue;
        const relations = catalogue.relationsNamed({ schema: path.schema, name: path.relation });
        if (relations.some((relation) => [...relation.columns.values()].includes(path.column))) continue;
        const column = `${path.schema}.${path.relation}.${path.column}`;
        this.#options.report(`data class "${dataClass.name}" masks nothing at ${name}`, new Error(`there is no column ${column}`));
      }
    }
  }

  address(name: string): UpstreamAddress {
    const { upstream } = this.#postgres(name);
    const { host, port, tls, ca, certificate, key } = upstream;
    return { host, port, tls: tlsOf(tls, ca, certificate, key) };
  }

  requestAddress({ upstream }: RequestTargetConfig): UpstreamAddress {
    const { host, port, tls, ca, certificate, key } = upstream;
    return { host, port, tls: tlsOf(tls, ca, certificate, key) };
  }

  /** A target of a request protocol. */
  request(name: string): RequestTargetConfig | undefined {
    const target = this.#byName.get(name);
    return target?.protocol === 'postgres' || target?.protocol === 'ssh' ? undefined : target;
  }

  ssh(name: string): SshTargetConfig | undefined {
    const target = this.#byName.get(name);
    return target?.protocol === 'ssh' ? target : undefined;
  }

  /** Of a gRPC target, where the configuration has its descriptors. */
  grpcSchema(name: string): GrpcSchema | undefined {
    return this.#grpcSchemas.get(name);
  }

  /** Places in documents and messages of this target that data classes name. */
  documentPlaces(name: string): Config['dataClasses'][number]['documents'] {
    return this.#dataClasses.flatMap(({ documents }) => documents.filter(({ target }) => target === name));
  }

  #postgres(name: string): PostgresTargetConfig {
    const target = this.#byName.get(name);
    if (target?.protocol !== 'postgres') throw unknownTarget(name);
    return target;
  }

  #definitions(name: string, database: string): Definitions {
    const { host, port } = this.#postgres(name).upstream;
    return this.#options.definitions.of(`${host}:${port}/${database}`);
  }

  #reader(name: string, database: string): CatalogueReader {
    const key = `${name}/${database}`;
    const known = this.#catalogues.get(key);
    if (known !== undefined) return known;
    const target = this.#postgres(name);
    const reader = new CatalogueReader({
      place: { target: name, database: database === target.upstream.database ? undefined : database, databaseName: database },
      connection: connectionOf(target, database),
      classes: this.classes,
      analyse: this.#options.analyse,
      report: this.#options.report,
      definitions: this.#definitions(name, database),
    });
    this.#catalogues.set(key, reader);
    return reader;
  }
}

function tlsOf(
  mode: PostgresTargetConfig['upstream']['tls'],
  ...[ca, certificate, key]: readonly (Secret | undefined)[]
): UpstreamTls | undefined {
  if (mode === 'unsafe_disable') return undefined;
  return {
    ca: ca?.text(),
    certificate: certificate?.text(),
    key: key?.text(),
    verifyChain: mode !== 'unsafe_require',
    verifyName: mode === 'verify-full',
  };
}

function connectionOf(target: PostgresTargetConfig, database: string): pg.ClientConfig {
  const { upstream } = target;
  return {
    host: upstream.host,
    port: upstream.port,
    user: upstream.user,
    database,
    ...(upstream.password === undefined ? {} : { password: upstream.password.text() }),
    ssl:
      upstream.tls === 'unsafe_disable'
        ? false
        : {
            rejectUnauthorized: upstream.tls !== 'unsafe_require',
            ...(upstream.tls === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
            ...(upstream.ca === undefined ? {} : { ca: upstream.ca.text() }),
            ...(upstream.certificate === undefined ? {} : { cert: upstream.certificate.text() }),
            ...(upstream.key === undefined ? {} : { key: upstream.key.text() }),
          },
  };
}
