import { violation } from './fault.ts';
import { Reader } from './reader.ts';
import type { ChannelRequest, Ending } from './channel.ts';

/** SSH_MSG_CHANNEL_REQUEST (RFC 4254 section 5.4), its own fields not read yet. */
export interface RawChannelRequest {
  /** As this side calls the channel. */
  readonly channel: number;
  readonly name: string;
  readonly wantReply: boolean;
  readonly fields: Uint8Array;
}

/** Reads a whole message. Throws `protocol-violation`. */
export function decodeChannelRequest(payload: Uint8Array): RawChannelRequest {
  const reader = new Reader(payload.subarray(1));
  const channel = reader.uint32();
  const name = reader.text();
  if (name === undefined) throw violation('the name of a channel request that is not UTF-8');
  return { channel, name, wantReply: reader.boolean(), fields: reader.rest() };
}

/**
 * What a client asks of its channel (RFC 4254 sections 6.2 to 6.9). Undefined: not known, or with text that is not UTF-8 or holds NUL, and so could mean something else
 * to the target. Throws `protocol-violation` for fields that are cut or followed by others.
 */
export function readClientRequest({ name, fields }: RawChannelRequest): ChannelRequest | undefined {
  const reader = new Reader(fields);
  const request = read(name, reader);
  if (request !== 'unknown') reader.end();
  return request === 'unknown' ? undefined : request;
}

function read(name: string, reader: Reader): ChannelRequest | 'unknown' | undefined {
  switch (name) {
    case 'env': {
      const variable = reader.text();
      const value = reader.text();
      return variable === undefined || value === undefined ? undefined : { kind: 'environment', name: variable, value };
    }
    case 'pty-req': {
      const term = reader.text();
      const size = readSize(reader);
      const modes = Uint8Array.from(reader.bytes());
      return term === undefined ? undefined : { kind: 'terminal', terminal: { name: term, ...size, modes } };
    }
    case 'window-change':
      return { kind: 'resize', ...readSize(reader) };
    case 'signal': {
      const signal = reader.text();
      return signal !== undefined && /^[A-Z0-9]{1,16}$/.test(signal) ? { kind: 'signal', name: signal } : undefined;
    }
    case 'shell':
      return { kind: 'start', program: { kind: 'shell' } };
    case 'exec': {
      const command = reader.text();
      return command === undefined ? undefined : { kind: 'start', program: { kind: 'exec', command } };
    }
    case 'subsystem': {
      const subsystem = reader.text();
      return subsystem === undefined ? undefined : { kind: 'start', program: { kind: 'subsystem', name: subsystem } };
    }
    case 'auth-agent-req@openssh.com':
      return { kind: 'forward-agent' };
    case 'x11-req':
      reader.rest();
      return { kind: 'forward-x11' };
    default:
      return 'unknown';
  }
}

/** How a target's program ended (RFC 4254 section 6.10). Undefined: it says something else. */
export function readEnding({ name, fields }: RawChannelRequest): Ending | undefined {
  const reader = new Reader(fields);
  if (name === 'exit-status') {
    const status = reader.uint32();
    reader.end();
    return { kind: 'status', status };
  }
  if (name !== 'exit-signal') return undefined;
  const signal = reader.text() ?? '';
  const coreDumped = reader.boolean();
  const message = reader.text() ?? '';
  reader.bytes();
  reader.end();
  return { kind: 'signal', name: signal, coreDumped, message };
}

function readSize(reader: Reader) {
  return { columns: reader.uint32(), rows: reader.uint32(), widthPixels: reader.uint32(), heightPixels: reader.uint32() };
}
