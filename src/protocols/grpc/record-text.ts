import { cut } from '../../core/cut.ts';
import { maskProse } from '../../masking/text.ts';
import { LEFT_OUT, speaksOfCredential } from '../http/credentials.ts';
import { boundFields } from '../http/record-text.ts';
import type { HeaderField, RequestBody } from '../request.ts';
import { plainMessage, type Call } from './call.ts';
import type { GrpcMasks } from './environment.ts';
import { compressedFlag, FrameReader, type Frame } from './frame.ts';
import { noMasksOf } from './masks.ts';
import { TextDecoding } from './web.ts';

/** A call as people and the record see it: method, metadata, message. Everything sensitive is masked, what a name calls a credential is left out. */
export function recordedText(call: Call, frames: readonly Frame[] | undefined, body: RequestBody): string {
  const { classes, detectors } = call.recordMasks;
  const shown = (text: string): string => maskProse(classes, detectors, text);
  const fields = shownFields(call).map(({ name, value }) => {
    return `${name}: ${speaksOfCredential(name) ? LEFT_OUT : name.endsWith('-bin') ? '(binary)' : shown(value)}`;
  });
  return joined(shown(`/${call.name.full}`), fields, messagesText(call, frames, body, call.recordMasks));
}

/** The same with nothing masked, for the reviewer who decides on it. */
export function exactText(call: Call, frames: readonly Frame[] | undefined, body: RequestBody): string {
  const fields = shownFields(call).map(({ name, value }) => `${name}: ${value}`);
  return joined(`/${call.name.full}`, fields, messagesText(call, frames, body, noMasksOf(call.environment)));
}

/** What an approval binds of the metadata. */
export function boundMetadata(metadata: readonly HeaderField[]): readonly HeaderField[] {
  return boundFields(metadata).filter(({ name }) => !name.startsWith('grpc-'));
}

/** The messages of a body that was gathered. Throws what `FrameReader` throws; `protocol-violation` where it ends within one. */
export function framesOf(call: Call, bytes: Uint8Array): readonly Frame[] {
  const reader = new FrameReader({ maxBytes: call.environment.target.maxMessageBytes, of: 'request' });
  return reader.pushWhole(binaryOf(call, bytes));
}

function binaryOf(call: Call, bytes: Uint8Array): Uint8Array {
  if (call.head.carriage !== 'web-text') return bytes;
  const decoding = new TextDecoding();
  const binary = decoding.push(bytes);
  decoding.end();
  return binary;
}

function messagesText(call: Call, frames: readonly Frame[] | undefined, body: RequestBody, masks: GrpcMasks): string {
  if (frames === undefined) {
    return body.kind === 'streamed' && call.described?.clientStreams === false
      ? '(a message that is too long to be shown)'
      : '(the client’s messages pass as they come: they are not known here, and an approval does not bind them)';
  }
  return frames.map((frame) => messageText(call, frame, masks)).join('\n');
}

function messageText(call: Call, { flags, message }: Frame, masks: GrpcMasks): string {
  const isCompressed = (flags & compressedFlag) !== 0;
  const described = `(a message of ${message.length} bytes, not shown)`;
  if (call.described === undefined) return described;
  const plain = plainMessage(call.environment, 'request', isCompressed, call.head.coding, message);
  return cut(call.described.masker('request', masks).text(plain, mostCharacters) ?? described, mostCharacters);
}

function shownFields({ head }: Call): readonly HeaderField[] {
  return boundMetadata(head.metadata).filter(({ name }) => name !== 'user-agent');
}

function joined(path: string, fields: readonly string[], messages: string): string {
  return `${[path, ...fields].join('\n')}${messages === '' ? '' : `\n\n${messages}`}`;
}

const mostCharacters = 16_384;
