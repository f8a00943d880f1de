import { CANCEL_KEY_MAX_BYTES, CANCEL_KEY_MIN_BYTES, STARTUP_CODE } from './messages.ts';
import type { SASLInitialResponse, StartupPacket, StartupParameter } from './messages.ts';
import { BodyReader } from './reader.ts';

/**
 * Decodes an untagged packet, given without its length. Faults: `protocol-violation`, also for a protocol whose major version is not 3
 * and for a parameter named twice (the server takes the last one, so a reader of the first would be fooled).
 */
export function decodeStartup(body: Uint8Array): StartupPacket {
  const reader = new BodyReader(body, 'startup packet');
  const code = reader.uint32('protocol version');
  switch (code) {
    case STARTUP_CODE.SSLRequest:
      reader.finish();
      return { kind: 'SSLRequest' };
    case STARTUP_CODE.GSSENCRequest:
      reader.finish();
      return { kind: 'GSSENCRequest' };
    case STARTUP_CODE.CancelRequest: {
      const processId = reader.int32('process id');
      return { kind: 'CancelRequest', processId, secretKey: cancelKey(reader) };
    }
    default: {
      const major = code >>> 16;
      if (major !== 3) throw reader.violation('protocol version', `${major}.${code & 0xffff} is not spoken here; 3.0 and 3.2 are`);
      return { kind: 'StartupMessage', major, minor: code & 0xffff, parameters: startupParameters(reader) };
    }
  }
}

/** PasswordMessage, given without tag and length. */
export function decodePassword(body: Uint8Array): string {
  const reader = new BodyReader(body, 'PasswordMessage');
  const password = reader.string('password');
  reader.finish();
  return password;
}

/** SASLInitialResponse, given without tag and length. A SASLResponse needs no decoder: its body is the mechanism's data. */
export function decodeSASLInitialResponse(body: Uint8Array): SASLInitialResponse {
  const reader = new BodyReader(body, 'SASLInitialResponse');
  const mechanism = reader.string('mechanism');
  const response = reader.value('initial response') ?? undefined;
  reader.finish();
  return { kind: 'SASLInitialResponse', mechanism, response };
}

/** The rest of a CancelRequest or BackendKeyData: 4 to 256 bytes. */
export function cancelKey(reader: BodyReader): Uint8Array {
  const length = reader.remaining;
  if (length < CANCEL_KEY_MIN_BYTES || length > CANCEL_KEY_MAX_BYTES) throw reader.violation('secret key', `has ${length} bytes`);
  return reader.rest();
}

function startupParameters(reader: BodyReader): StartupParameter[] {
  const parameters: StartupParameter[] = [];
  const seen = new Set<string>();
  for (;;) {
    const name = reader.string('parameter name');
    if (name === '') break;
    if (seen.has(name)) throw reader.violation('parameter', `${JSON.stringify(name)} is given twice`);
    seen.add(name);
    parameters.push({ name, value: reader.string('parameter value') });
  }
  reader.finish();
  return parameters;
}
