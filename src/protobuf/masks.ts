import { GatewayFault } from '../core/fault.ts';
import type { MaskingMode } from '../core/target.ts';
import type { DataClasses } from '../masking/classes.ts';
import { maskedMessage, UnknownField, type MessageRules } from './mask.ts';
import { Planner, type MessagePlan } from './plan.ts';
import type { MessageType, Method, Schema } from './schema.ts';
import { MalformedMessage } from './wire.ts';

/** How the messages of a target are shown to one principal. */
export interface MessageMasks {
  masker(method: Method, direction: 'request' | 'response'): MessageMasker;
  /** Of the `google.rpc.Status` in `grpc-status-details-bin`. */
  readonly statusMasker: MessageMasker;
}

export interface MessageMasker {
  /** Anything can be hidden in such a message. False: it may pass without being looked at. */
  readonly hides: boolean;
  /** Classes with hidden places in such a message, sorted. */
  readonly hiddenClasses: readonly string[];
  /** The message as it may be shown, or why it may not be shown at all (`masking-refused`). */
  mask(bytes: Uint8Array): MaskedMessage | GatewayFault;
}

export interface MaskedMessage {
  /** The same view where nothing changed. */
  readonly bytes: Uint8Array;
  /** Values masked, by data class. */
  readonly masked: ReadonlyMap<string, number>;
  /** Fields left out because the schema does not know them. */
  readonly dropped: number;
}

export interface MessageMasksOptions {
  readonly schema: Schema;
  /** Name of the target, as rules have it. */
  readonly target: string;
  readonly classes: DataClasses;
  /** Classes that may be seen. */
  readonly revealed: ReadonlySet<string>;
  readonly mode: MaskingMode;
  /** What happens to a message with fields that the schema does not know, where anything can be hidden in it. */
  readonly unknownFields: 'drop' | 'refuse';
}

/**
 * `unsafe_origin`: only what paths and field options name is hidden, and unknown fields stay. `strict`: bytes that are no text are not shown.
 */
export function messageMasks(options: MessageMasksOptions): MessageMasks {
  const { schema, classes, revealed, mode } = options;
  const planner = new Planner(options);
  const detectors = classes.detectors.without(mode === 'unsafe_origin' ? new Set(classes.names) : revealed);
  const rules: MessageRules = {
    classes,
    detectors,
    numbers: detectors.forNumbers,
    hidesOpaqueBytes: mode === 'strict',
    unknownFields: mode === 'unsafe_origin' ? 'keep' : options.unknownFields,
    type: (name) => schema.type(name),
  };
  const made = new Map<string, MessageMasker>();
  const maskerOf = (key: string, plan: () => MessagePlan, classesOfRoot: () => readonly string[]): MessageMasker => {
    let found = made.get(key);
    if (found === undefined) {
      const root = plan();
      const reached = reachableFrom(root.type, schema).flatMap((type) => planner.classesOf(type));
      made.set(key, (found = masker(root, [...new Set([...classesOfRoot(), ...reached])].sort(), rules)));
    }
    return found;
  };
  return {
    masker(method, direction) {
      const type = method[direction];
      return maskerOf(
        `${method.path} ${direction}`,
        () => planner.root(method, type),
        () => planner.classesOfMethod(method),
      );
    },
    get statusMasker() {
      return maskerOf(
        'status',
        () => planner.message(schema.type('google.rpc.Status')!),
        () => [],
      );
    },
  };
}

function masker(plan: MessagePlan, hiddenClasses: readonly string[], rules: MessageRules): MessageMasker {
  return {
    hides: hiddenClasses.length > 0 || !rules.detectors.isEmpty,
    hiddenClasses,
    mask(bytes) {
      const tally = { masked: new Map<string, number>(), dropped: 0 };
      try {
        return { bytes: maskedMessage(plan, bytes, rules, tally), masked: tally.masked, dropped: tally.dropped };
      } catch (error) {
        return faultOf(error, plan.type);
      }
    },
  };
}

function faultOf(error: unknown, { name }: MessageType): GatewayFault {
  if (error instanceof MalformedMessage) {
    return new GatewayFault('masking-refused', {
      publicMessage: `a message cannot be read as ${name}, so that it cannot be masked: ${error.message}`,
      hint: 'Is the schema of the target the one that it runs with?',
    });
  }
  if (error instanceof UnknownField) {
    return new GatewayFault('masking-refused', {
      publicMessage: `a message of the type ${name} has fields that the schema does not know, and the target refuses those`,
      hint: 'Give the gateway the schema that the target runs with.',
    });
  }
  throw error;
}

/** Every type that can occur in a message of this one. */
function reachableFrom(root: MessageType, schema: Schema): readonly MessageType[] {
  if (root.reachesAny) return schema.types;
  const reached = new Set([root]);
  for (const type of reached) for (const { message } of type.fields.values()) if (message !== undefined) reached.add(message);
  return [...reached];
}
