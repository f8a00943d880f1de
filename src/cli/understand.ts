import type { Config, GrpcTargetConfig } from '../config/index.ts';
import { compileDataClasses } from '../masking/classes.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { CaseFileError, type CaseOptions } from '../policy/index.ts';
import type { GrpcSchema } from '../protocols/grpc/index.ts';
import type { CatalogueRelation } from '../protocols/postgres/catalogue.ts';
import { explainPostgres } from '../protocols/postgres/explain.ts';
import type { SchemaCatalogue } from '../protocols/postgres/schema-catalogue.ts';
import { configuredSchema } from './gateway/grpc-schema.ts';
import { NotARequest, requestMeaning, type RequestMeaning } from './request-meaning.ts';
import { sshMeaning } from './ssh-meaning.ts';
import type { QualifiedName } from '../sql/statement.ts';
import { createAnalyser, loadParser } from '../sql/postgres/index.ts';

/**
 * What a statement or a request asks for, told from its text alone: for `policy test` and `policy explain` without a gateway. Of a database no catalogue is
 * asked, so every relation that is named is taken for a plain table, one without a schema for one in `public`, and functions for the server's own. What
 * would be refused before policy is asked is thrown.
 */
export async function offlineUnderstanding(config: Config): Promise<NonNullable<CaseOptions['understand']>> {
  await loadParser();
  const analyser = createAnalyser({ maxShapes: 10_000 });
  // Nothing is masked here: any key will do.
  const classes = compileDataClasses(config.dataClasses, nodeCrypto, nodeCrypto.randomBytes(32));
  const schemas = new Map<string, GrpcSchema | undefined>();
  const schemaOf = (target: GrpcTargetConfig): GrpcSchema | undefined => {
    if (!schemas.has(target.name)) schemas.set(target.name, configuredSchema(target));
    return schemas.get(target.name);
  };
  return (statement, target, { principal, reveals }) => {
    const { name, protocol, masking, readOnly } = target;
    const configured = config.targets.find((target) => target.name === name);
    if (configured !== undefined && configured.protocol !== 'postgres' && configured.protocol !== 'ssh') {
      const schema = configured.protocol === 'grpc' ? schemaOf(configured) : undefined;
      const meaning = written(() =>
        requestMeaning(configured, statement, { principal, classes, revealed: reveals(classes.names), schema }),
      );
      if (meaning.refusal !== undefined) throw meaning.refusal;
      return meaning;
    }
    if (configured?.protocol === 'ssh') {
      const meaning = sshMeaning(configured, target, statement, classes);
      if (meaning.refusal !== undefined) throw meaning.refusal;
      return meaning;
    }
    if (configured?.protocol !== 'postgres' && protocol !== 'postgres') {
      throw new CaseFileError(
        `what a request of ${protocol} means is told by the target's configuration: name a target of the configuration, or write acts`,
      );
    }
    const { upstream } = configured ?? { upstream: { user: '', database: name } };
    const { acts, facts, refusal } = explainPostgres({
      statement,
      target: {
        name,
        database: upstream.database,
        classes,
        catalogue: () => asWritten,
      },
      masking,
      readOnly,
      revealed: new Set(classes.names),
      analyse: (sql) => analyser.analyse(sql),
    });
    if (refusal !== undefined) throw refusal;
    return { acts, facts };
  };
}

/** A text that is no request is a mistake in the case, not a denial. */
function written(meaning: () => RequestMeaning): RequestMeaning {
  try {
    return meaning();
  } catch (error) {
    throw error instanceof NotARequest ? new CaseFileError(error.publicMessage) : error;
  }
}

/** A database in which every name is the table that it looks like. */
const asWritten: SchemaCatalogue = {
  columnClasses: [],
  textTypes: new Set(),
  relationByOid: () => undefined,
  relationsNamed: (name) => [tableNamed(name)],
  hasUserOperator: () => false,
  hasUserFunction: () => false,
  runsCode: () => false,
  writesThrough: () => [],
};

function tableNamed({ schema, name }: QualifiedName): CatalogueRelation {
  return {
    oid: 0,
    schema: schema ?? 'public',
    name,
    kind: 'table',
    columns: new Map(),
    rules: new Map(),
    columnTaint: new Map(),
    tainted: [],
  };
}
