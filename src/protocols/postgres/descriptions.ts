import { resultFields } from './conversation.ts';
import { decodeServer } from './decode.ts';
import { planColumns, type MaskContext, type MaskPlan } from './mask.ts';
import { SERVER_TAG, type FieldDescription, type Format } from './messages.ts';
import { withFormats } from './names.ts';
import type { Understanding } from './understanding.ts';

interface Known {
  /** The RowDescription's body; a copy. */
  readonly body: Uint8Array;
  readonly fields: readonly FieldDescription[];
  plan: MaskPlan | undefined;
  understanding: Understanding | undefined;
  context: MaskContext | undefined;
  formats: readonly Format[] | undefined;
}

/**
 * The last few results that a session's statements returned. Most statements return what one before them returned, byte for byte: then
 * neither is the description decoded nor the plan made again, an eighth of what a small statement costs (bench/postgres-statement.ts).
 */
export class Descriptions {
  readonly #known: Known[] = [];
  #oldest = 0;

  /** Decodes the body of a RowDescription; for the same bytes the same object. */
  read(body: Uint8Array): readonly FieldDescription[] {
    for (const known of this.#known) if (sameBytes(known.body, body)) return known.fields;
    const message = decodeServer(SERVER_TAG.RowDescription, body);
    const fields = message.kind === 'RowDescription' ? message.fields : [];
    this.#known[this.#oldest] = {
      body: body.slice(),
      fields,
      plan: undefined,
      understanding: undefined,
      context: undefined,
      formats: undefined,
    };
    this.#oldest = (this.#oldest + 1) % mostKnown;
    return fields;
  }

  /** The plan for rows of these fields; `formats` as Bind gave them, undefined without Bind. */
  plan(
    context: MaskContext,
    understanding: Understanding,
    fields: readonly FieldDescription[],
    formats: readonly Format[] | undefined,
  ): MaskPlan {
    const known = this.#known.find((one) => one.fields === fields);
    if (known?.plan !== undefined && known.understanding === understanding && known.context === context) {
      if (sameFormats(known.formats, formats)) return known.plan;
    }
    const plan = planColumns(context, understanding.maskFacts, resultFields(formats === undefined ? fields : withFormats(fields, formats)));
    if (known !== undefined) {
      known.plan = plan;
      known.understanding = understanding;
      known.context = context;
      known.formats = formats;
    }
    return plan;
  }

  /** The rows of a result are through. A plan that has memory of its own for masked rows is not kept: sessions are idle for long. */
  done(plan: MaskPlan): void {
    if (plan.scratch.used === 0) return;
    const known = this.#known.find((one) => one.plan === plan);
    if (known !== undefined) known.plan = undefined;
  }
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index += 1) if (one[index] !== other[index]) return false;
  return true;
}

function sameFormats(one: readonly Format[] | undefined, other: readonly Format[] | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.length === other.length && one.every((format, index) => format === other[index]);
}

const mostKnown = 4;
