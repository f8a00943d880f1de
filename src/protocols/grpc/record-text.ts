import { cut } from '../../core/cut.ts';
import { maskProse } from '../../masking/text.ts';
import { LEFT_OUT, speaksOfCredential } from '../http/credentials.ts';
import type { HeaderField, RequestBody } from '../request.ts';
import type { Call } from './call.ts';
import type { GrpcMasks } from './environment.ts';
import { noMasksOf } from './masks.ts';
import type { SentMessage } from './sent-messages.ts';

/** A call as people and the record see it: method, metadata, message. Everything sensitive is masked, what a name calls a credential is left out. */
export function recordedText(call: Call, messages: readonly SentMessage[] | undefined, body: RequestBody): string {
  const { classes, detectors } = call.recordMasks;
  const shown = (text: string): string => maskProse(classes, detectors, text);
  const fields = shownFields(call).map(({ name, value }) => {
    return `${name}: ${speaksOfCredential(name) ? LEFT_OUT : name.endsWith('-bin') ? '(binary)' : shown(value)}`;
  });
  return joined(shown(`/${call.name.full}`), fields, messagesText(call, messages, body, call.recordMasks));
}

/** The same with nothing masked, for the reviewer who decides on it. */
export function exactText(call: Call, messages: readonly SentMessage[] | undefined, body: RequestBody): string {
  const fields = shownFields(call).map(({ name, value }) => `${name}: ${value}`);
  return joined(`/${call.name.full}`, fields, messagesText(call, messages, body, noMasksOf(call.environment)));
}

function messagesText(call: Call, messages: readonly SentMessage[] | undefined, body: RequestBody, masks: GrpcMasks): string {
  if (messages !== undefined) return messages.map((message) => messageText(call, message, masks)).join('\n');
  if (body.kind !== 'streamed') return '(a body that cannot be read)';
  return call.described?.clientStreams === false
    ? '(a message that is too long to be shown)'
    : '(the client’s messages pass as they come: they are not known here, and an approval does not bind them)';
}

function messageText(call: Call, { message, plain }: SentMessage, masks: GrpcMasks): string {
  const described = `(a message of ${message.length} bytes, not shown)`;
  if (call.described === undefined) return described;
  return cut(call.described.masker('request', masks).text(plain, mostCharacters) ?? described, mostCharacters);
}

function shownFields({ head }: Call): readonly HeaderField[] {
  return head.bound.filter(({ name }) => name !== 'user-agent');
}

function joined(path: string, fields: readonly string[], messages: string): string {
  return `${[path, ...fields].join('\n')}${messages === '' ? '' : `\n\n${messages}`}`;
}

const mostCharacters = 16_384;
