import { assertNever } from '../../core/fault.ts';
import { compileJsonPath } from '../../masking/json-path.ts';
import { maskPaths } from '../../masking/json-places.ts';
import { maskJson } from '../../masking/json.ts';
import { keepLastFourOfAscii, redaction, type MaskRule } from '../../masking/mask.ts';
import { maskText, type MaskedText } from '../../masking/text.ts';
import type { MaskContext } from './mask-context.ts';
import { decodeBinary } from './mask-decode.ts';
import { typeForm, type TypeForm } from './mask-types.ts';

/** What stands in place of a cell: other bytes, or null for SQL NULL. */
export interface MaskedCell {
  readonly bytes: Uint8Array | null;
  /** The data classes for which it was masked. */
  readonly classes: readonly string[];
}

/** Looks at one cell, `bytes` from `start` up to `end`; undefined where it stays as it is. Keeps no view of `bytes`. */
export interface CellMask {
  (bytes: Uint8Array, start: number, end: number): MaskedCell | undefined;
  /** For cells that keep their length: the same in place, in bytes that are the row's own. */
  readonly inPlace?: InPlaceMask;
}

export interface InPlaceMask {
  readonly class: string;
  /** False where it cannot: the bytes may have been changed in part, and are not to be used. */
  apply(bytes: Uint8Array, start: number, end: number): boolean;
}

interface CellType {
  readonly name: string;
  readonly typeOid: number;
  readonly typeModifier: number;
  readonly format: 0 | 1;
}

/**
 * How the cells of a column are masked whole by `rule`. The type and format of the column stay, so that drivers decode: what can hold
 * the masked text holds it (cut to the declared length), anything else (numbers, dates, arrays, rows …) becomes SQL NULL.
 */
export function wholeCellMask(context: MaskContext, type: CellType, rule: MaskRule): CellMask {
  const form = typeForm(type.typeOid, context.catalogue.textTypes);
  const classes = [rule.class];
  const nothing: MaskedCell = { bytes: null, classes };
  if (rule.kind === 'null' || !HOLDS_TEXT.has(form)) return () => nothing;
  const shown = isDocument(form) && rule.kind !== 'hash' ? { class: rule.class, kind: 'redact' as const } : rule;
  if (shown.kind === 'redact') {
    const fixed: MaskedCell = { bytes: encodeCell(form, type, redaction(rule.class)), classes };
    return () => fixed;
  }
  const inPlace = shown.kind === 'partial-last4' && form === 'text' ? { class: rule.class, apply: keepLastFourOfAscii } : undefined;
  const mask = (bytes: Uint8Array, start: number, end: number): MaskedCell => {
    if (inPlace !== undefined) {
      const quick = new Uint8Array(bytes.subarray(start, end));
      if (inPlace.apply(quick, 0, quick.length)) return { bytes: quick, classes };
    }
    const text = decodeCell(form, type, bytes, start, end);
    return { bytes: encodeCell(form, type, context.classes.mask(shown, form === 'bpchar' ? text.trimEnd() : text)), classes };
  };
  return inPlace === undefined ? mask : Object.assign(mask, { inPlace });
}

/** How the cells of a column are masked by what the detectors find in them; undefined where they cannot find anything. */
export function searchedCellMask(context: MaskContext, type: CellType): CellMask | undefined {
  const form = typeForm(type.typeOid, context.catalogue.textTypes);
  const detectors = form === 'number' ? context.detectors.forNumbers : context.detectors;
  if (detectors.isEmpty || form === 'fixed') return undefined;
  return (bytes, start, end) => {
    if (form === 'number') {
      if (type.format === 0 && !detectors.mayContain(bytes, start, end)) return undefined;
      const found = maskText(context.classes, detectors, integerOf(type, bytes.subarray(start, end)), type.name);
      return found === undefined ? undefined : { bytes: null, classes: found.classes };
    }
    const hex = form === 'bytea' && type.format === 0 ? bytesOfHex(bytes, start, end) : undefined;
    const [source, from, to] = hex === undefined ? [bytes, start, end] : [hex, 0, hex.length];
    const escaped = (form === 'json' || form === 'jsonb') && source.subarray(from, to).includes(BACKSLASH);
    if (!escaped && !detectors.mayContain(source, from, to)) return undefined;
    const text = decodeCell(form, type, source, from, to);
    const found =
      escaped || isJson(form)
        ? maskJson(context.classes, detectors, text, type.name)
        : maskText(context.classes, detectors, text, type.name);
    return found === undefined ? undefined : { bytes: replacement(context, form, type, text, found), classes: found.classes };
  };
}

/**
 * How the cells of a document column are masked of which only some places are sensitive; what is left is searched. A value that is no
 * document, or a type that cannot hold one, is redacted whole.
 */
export function documentCellMask(
  context: MaskContext,
  type: CellType,
  rules: readonly { readonly class: string; readonly path: string | undefined }[],
): CellMask {
  const form = typeForm(type.typeOid, context.catalogue.textTypes);
  const places = rules.flatMap(({ class: name, path }) => {
    const rule = context.classes.strongest([name]);
    return rule === undefined || path === undefined ? [] : [{ rule, path: compileJsonPath(path) }];
  });
  const strongest = context.classes.strongest(rules.map((rule) => rule.class));
  const whole = wholeCellMask(
    context,
    type,
    strongest === undefined ? NOTHING : strongest.kind === 'null' ? strongest : { class: strongest.class, kind: 'redact' },
  );
  if (places.length < rules.length || (!isJson(form) && form !== 'text')) return whole;
  const search = searchedCellMask(context, type);
  return (bytes, start, end) => {
    const masked = maskPaths(context.classes, places, decodeCell(form, type, bytes, start, end));
    if (masked === undefined) return search?.(bytes, start, end);
    if (masked === null) return whole(bytes, start, end);
    const found = maskJson(context.classes, context.detectors, masked.text, type.name);
    const text = found === undefined ? masked.text : found.text;
    const classes = [...new Set([...masked.classes, ...(found?.classes ?? [])])];
    if (form === 'text') return { bytes: encodeCell(form, type, text), classes };
    return { bytes: text === null ? null : encodeJson(form, type, text), classes };
  };
}

/** The cell that carries what the detectors left of a text. */
function replacement(context: MaskContext, form: TypeForm, type: CellType, text: string, found: MaskedText): Uint8Array | null {
  if (found.text === null || !HOLDS_TEXT.has(form)) return null;
  const rule = context.classes.strongest(found.classes);
  if (rule === undefined) return null;
  // Bytes that are no UTF-8 would come back changed; in XML a match may reach over markup.
  const isUnsafe = text.includes('\ufffd') || (form === 'xml' && countMarkup(found.text) !== countMarkup(text));
  if (isUnsafe) return encodeCell(form, type, redaction(rule.class));
  return isJson(form) ? encodeJson(form, type, found.text) : encodeCell(form, type, found.text);
}

function decodeCell(form: TypeForm, type: CellType, bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(form === 'jsonb' && type.format === 1 ? start + 1 : start, end));
}

function encodeCell(form: TypeForm, type: CellType, text: string | null): Uint8Array | null {
  if (text === null) return null;
  switch (form) {
    case 'text':
    case 'xml':
      return encoder.encode(cut(text, type.typeOid === VARCHAR ? type.typeModifier - 4 : -1));
    case 'bpchar':
      return encoder.encode(pad(cut(text, type.typeModifier - 4), type.typeModifier - 4));
    case 'name':
      return encodeName(text);
    case 'json':
    case 'jsonb':
      return encodeJson(form, type, JSON.stringify(text));
    case 'number':
    case 'bytea':
    case 'fixed':
    case 'other':
      return null;
    default:
      return assertNever(form, 'type form');
  }
}

function encodeJson(form: TypeForm, type: CellType, json: string): Uint8Array {
  if (form !== 'jsonb' || type.format === 0) return encoder.encode(json);
  const body = encoder.encode(json);
  const versioned = new Uint8Array(body.length + 1);
  versioned[0] = JSONB_VERSION;
  versioned.set(body, 1);
  return versioned;
}

/** At most `most` characters (code points, as the server counts them); below 0: no limit. */
function cut(text: string, most: number): string {
  if (most < 0 || text.length <= most) return text;
  return Array.from(text).slice(0, most).join('');
}

function pad(text: string, length: number): string {
  return text + ' '.repeat(Math.max(0, length - Array.from(text).length));
}

/** NAMEDATALEN is 64 with its final zero. */
function encodeName(text: string): Uint8Array {
  let kept = text;
  let bytes = encoder.encode(kept);
  while (bytes.length > 63) {
    kept = Array.from(kept).slice(0, -1).join('');
    bytes = encoder.encode(kept);
  }
  return bytes;
}

/** The digits of a number before its point. */
function integerOf(type: CellType, cell: Uint8Array): string {
  const text = type.format === 0 ? decoder.decode(cell) : (decodeBinary(type.typeOid, cell) ?? '');
  return text.replace('-', '').split('.')[0]!;
}

/** The bytes that `\x…` spells; undefined for the old escape format. */
function bytesOfHex(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  if (bytes[start] !== BACKSLASH || bytes[start + 1] !== 0x78) return undefined;
  const out = new Uint8Array((end - start - 2) >> 1);
  for (let index = 0; index < out.length; index++) {
    out[index] = (hexDigit(bytes[start + 2 + index * 2]!) << 4) | hexDigit(bytes[start + 3 + index * 2]!);
  }
  return out;
}

function hexDigit(code: number): number {
  return code <= 0x39 ? code & 0xf : (code & 0xf) + 9;
}

function countMarkup(text: string): number {
  let count = 0;
  for (const character of text) if ('<>&'.includes(character)) count++;
  return count;
}

function isJson(form: TypeForm): boolean {
  return form === 'json' || form === 'jsonb';
}

function isDocument(form: TypeForm): boolean {
  return isJson(form) || form === 'xml';
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const NOTHING: MaskRule = { class: 'unknown', kind: 'null' };
const HOLDS_TEXT: ReadonlySet<TypeForm> = new Set<TypeForm>(['text', 'name', 'bpchar', 'json', 'jsonb', 'xml']);
const BACKSLASH = 0x5c;
const JSONB_VERSION = 1;
const VARCHAR = 1043;
