import { GatewayFault } from '../../core/fault.ts';
import type { BoundParameter } from './mask.ts';
import { HEADER_BYTES, type Bind, type ClientMessage } from './messages.ts';
import type { PreparedStatement } from './names.ts';
import type { Asked } from './operation.ts';

/** The server cuts longer names silently (`NAMEDATALEN`), so that two of ours could be one of its. */
export function checkNames(message: ClientMessage): void {
  switch (message.kind) {
    case 'Bind':
      checkName(message.portal);
      checkName(message.statement);
      return;
    case 'Execute':
      checkName(message.portal);
      return;
    case 'Parse':
    case 'Describe':
    case 'Close':
      checkName(message.name);
      return;
    default:
  }
}

function checkName(name: string): void {
  if (name.length * 3 <= maxNameBytes || encoder.encode(name).length <= maxNameBytes) return;
  throw new GatewayFault('limit-exceeded', { publicMessage: `names of statements and portals have at most ${maxNameBytes} bytes` });
}

/** In bytes of its own: views of what the client sent die. */
export function kept(asked: Asked): Asked {
  const parameters = asked.parameters.map((parameter) => ({ ...parameter, bytes: parameter.bytes?.slice() ?? null }));
  return { ...asked, parameters, binding: asked.binding.slice() };
}

/** Parameters with the formats and types that Bind and Parse gave them. */
export function boundParameters(message: Bind, statement: PreparedStatement): readonly BoundParameter[] {
  const { parameterFormats, parameters } = message;
  return parameters.map((bytes, index) => ({
    bytes,
    format: (parameterFormats.length === 1 ? parameterFormats[0] : parameterFormats[index]) ?? 0,
    typeOid: statement.parameterTypes[index] ?? 0,
  }));
}

/** Bind without its two names, which drivers make up anew for each run: parameter formats, parameters, result formats. */
export function bindingBytes(view: Uint8Array): Uint8Array {
  const portalEnd = view.indexOf(0, HEADER_BYTES);
  return view.subarray(view.indexOf(0, portalEnd + 1) + 1);
}

const encoder = new TextEncoder();
/** NAMEDATALEN - 1. */
const maxNameBytes = 63;
