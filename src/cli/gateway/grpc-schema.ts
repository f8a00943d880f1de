import type { GrpcSchemaConfig, GrpcTargetConfig } from '../../config/index.ts';
import { cut } from '../../core/cut.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { readBySelfDescription } from '../../net/grpc-reflection.ts';
import type { Upstream } from '../../net/http-upstream-answer.ts';
import { changesBetween, schemaWithHistory } from '../../protobuf/history.ts';
import { placesOfNothing } from '../../protobuf/places.ts';
import { schemaOf, schemaOfFiles, type Schema } from '../../protobuf/schema.ts';
import { describedBy, type GrpcSchema } from '../../protocols/grpc/index.ts';

/** What a target's methods take and answer, wherever it is known from. */
export interface SchemaSource {
  current(): GrpcSchema | undefined;
  /** Why no call is let through, where what is in force does not describe what the target serves now. */
  closed(): GatewayFault | undefined;
  /** Waits until it is known. Throws `upstream-unavailable`. */
  known(session: AskingSession): Promise<void>;
}

/** The session whose call needs to know. */
type AskingSession = Pick<PipelineSession, 'grant' | 'id' | 'note'>;

type Places = Parameters<typeof placesOfNothing>[1];

/** The schema that the configuration gives; undefined where it gives none. Its descriptors were checked when it was read. */
export function configuredSchema({ schema }: GrpcTargetConfig): GrpcSchema | undefined {
  const sets = schema?.descriptorSets;
  if (schema === undefined || sets === undefined) return undefined;
  return describedBy(
    schemaOf(
      sets.map((set) => set.reveal()),
      schema,
    ),
    schema.unknownFields,
  );
}

export function fixedSchema(schema: GrpcSchema | undefined): SchemaSource {
  return { current: () => schema, closed: () => undefined, known: () => Promise.resolve() };
}

export interface SelfDescribedOptions {
  readonly name: string;
  readonly schema: GrpcSchemaConfig;
  readonly places: Places;
  readonly upstream: Upstream;
  readonly report: (what: string, error: unknown) => void;
}

/**
 * The schema by the target's own reflection, read when it is first needed and again when it is older than configured: no call goes by an older one, unless it cannot
 * be read again. What a later reading changes is reported and on record, and whatever was hidden by an earlier one stays hidden. Places that name nothing any more
 * close the target's methods: what they hid may have another name now.
 */
export class SelfDescribed implements SchemaSource {
  readonly #options: SelfDescribedOptions;
  #raw: Schema | undefined;
  #inForce: { readonly schema: Schema; readonly described: GrpcSchema; readonly lost: Places } | undefined;
  #readAt = 0;
  #reading: Promise<void> | undefined;

  constructor(options: SelfDescribedOptions) {
    this.#options = options;
  }

  current(): GrpcSchema | undefined {
    return this.#inForce?.described;
  }

  closed(): GatewayFault | undefined {
    const [lost] = this.#inForce?.lost ?? [];
    if (lost === undefined) return undefined;
    return new GatewayFault('masking-refused', {
      publicMessage: `${lost.segments.join('/')}#${lost.path}, which is to be hidden, names nothing in the schema that the target has now`,
      hint: 'Tell the platform team.',
    });
  }

  async known(session: AskingSession): Promise<void> {
    const isFresh = Date.now() - this.#readAt < (this.#options.schema.reflectionMs ?? 0);
    if (this.#inForce !== undefined && this.#reading === undefined && isFresh) return;
    this.#reading ??= this.#readAgain(session).finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  /** What is in force serves on where the target does not describe itself any more. */
  async #readAgain(session: AskingSession): Promise<void> {
    try {
      await this.#read(session);
    } catch (error) {
      if (this.#inForce === undefined) throw error;
      this.#options.report(`schema of target ${this.#options.name} not read again`, error);
    }
  }

  async #read(session: AskingSession): Promise<void> {
    const { name, upstream, schema: settings, places, report } = this.#options;
    this.#readAt = Date.now();
    let next: Schema;
    try {
      const { files, undescribed } = await readBySelfDescription(upstream, session);
      if (undescribed.length > 0) report(`target ${name} does not describe ${undescribed.join(', ')}`, undefined);
      next = schemaOfFiles(files, settings);
    } catch (error) {
      if (error instanceof GatewayFault) throw error;
      throw new GatewayFault('upstream-unavailable', {
        publicMessage: 'the schema of the target cannot be read: its answers are none of reflection’s',
        detail: String(error),
        cause: error,
      });
    }
    const changes = this.#raw === undefined ? [] : changesBetween(this.#raw, next);
    if (this.#inForce !== undefined && changes.length === 0) return;
    const schema = this.#inForce === undefined ? next : schemaWithHistory(this.#inForce.schema, next);
    this.#raw = next;
    this.#inForce = { schema, described: describedBy(schema, settings.unknownFields), lost: placesOfNothing(schema, places) };
    const closed = this.closed();
    if (closed !== undefined) report(`target ${name} is closed: ${closed.publicMessage}`, undefined);
    if (changes.length > 0) this.#tell(changes, session);
  }

  #tell(changes: readonly string[], session: AskingSession): void {
    const { name, report } = this.#options;
    const some = cut(changes.slice(0, mostChanges).join('; '), mostCharacters);
    report(`schema of target ${name} has changed: ${some}`, undefined);
    try {
      session.note('schema-changed', { target: name, changes: some });
    } catch (error) {
      report('a changed schema is not in the recording of the session that found it', error);
    }
  }
}

const mostChanges = 8;
const mostCharacters = 1_000;
