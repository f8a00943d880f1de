import { GatewayFault } from '../../core/fault.ts';
import type { MaskedCounts } from '../http/mask-text.ts';
import type { PieceMasker } from '../request.ts';
import { JsonCutter, type JsonPiece } from './json-pieces.ts';
import { maskedElement, maskedEvent, maskedObject } from './mask-object.ts';
import type { KubernetesMasks, ObjectPlace } from './masks.ts';

/** A watch: each event is masked when it has come. */
export function watchMasker(masks: KubernetesMasks, place: ObjectPlace): PieceMasker {
  const masked: MaskedCounts = new Map();
  return new Pieces(new JsonCutter('values', mostPieceBytes), masked, ({ bytes }) => {
    return shown(bytes, (text) => (text.trim() === '' ? text : maskedEvent(masks, place, text, masked)));
  });
}

/** A list or a Table: each element is masked when it has come, so that a list may be longer than anything that is held in memory. */
export function listMasker(masks: KubernetesMasks, place: ObjectPlace): PieceMasker {
  const masked: MaskedCounts = new Map();
  let hasBegun = false;
  return new Pieces(new JsonCutter('elements', mostPieceBytes), masked, ({ kind, bytes }, isLast) => {
    if (kind !== 'around') return shown(bytes, (text) => (text.trim() === '' ? text : maskedElement(masks, place, text, masked)));
    // A piece around elements is whole JSON where the elements are left out.
    const [before, behind] = [hasBegun ? OPENED : '', isLast ? '' : ']}'];
    hasBegun = true;
    return shown(bytes, (text) => {
      if (text.trim() === ',' || text.trim() === '') return text;
      return maskedObject(masks, place, `${before}${text}${behind}`, masked)?.slice(before.length, -behind.length || undefined);
    });
  });
}

class Pieces implements PieceMasker {
  readonly masked: ReadonlyMap<string, number>;
  readonly #cutter: JsonCutter;
  readonly #mask: (piece: JsonPiece, isLast: boolean) => Uint8Array;

  constructor(cutter: JsonCutter, masked: MaskedCounts, mask: (piece: JsonPiece, isLast: boolean) => Uint8Array) {
    this.#cutter = cutter;
    this.#mask = mask;
    this.masked = masked;
  }

  push(bytes: Uint8Array): readonly Uint8Array[] {
    const pieces = this.#cutter.push(bytes);
    if (pieces === undefined) throw refused(`one object of it is longer than ${mostPieceBytes} bytes, which is more than can be masked`);
    return pieces.map((piece) => this.#mask(piece, false));
  }

  end(): readonly Uint8Array[] {
    const last = this.#cutter.end();
    return last.bytes.length === 0 ? [] : [this.#mask(last, true)];
  }
}

function shown(bytes: Uint8Array, mask: (text: string) => string | undefined): Uint8Array {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw refused('it is not the UTF-8 text that it says it is', cause);
  }
  const masked = mask(text);
  if (masked === undefined) throw refused('it is not the JSON that it says it is, or too deep');
  return masked === text ? bytes : encoder.encode(masked);
}

function refused(why: string, cause?: unknown): GatewayFault {
  return new GatewayFault('masking-refused', { publicMessage: `the target has answered, but its answer cannot be shown: ${why}`, cause });
}

const OPENED = '{"items":[';
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
/** More than etcd holds in one object (1.5 MiB), as JSON. */
const mostPieceBytes = 4 * 1024 * 1024;
