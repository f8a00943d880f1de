import { maxWindowBytes, setting, type Setting } from './frame.ts';
import { errorCode, Http2Violation } from './violation.ts';

/** What a server's SETTINGS change for a client (RFC 9113 section 6.5.2); undefined: what was before. */
export interface ServerSettings {
  readonly tableBytes: number | undefined;
  readonly concurrentStreams: number | undefined;
  readonly windowBytes: number | undefined;
}

/** The last one of a kind counts; of table sizes the least, which then is what is used. Throws `Http2Violation` for values that may not be. */
export function readServerSettings(settings: readonly Setting[]): ServerSettings {
  let tableBytes: number | undefined;
  let concurrentStreams: number | undefined;
  let windowBytes: number | undefined;
  for (const [identifier, value] of settings) {
    switch (identifier) {
      case setting.headerTableSize:
        tableBytes = tableBytes === undefined ? value : Math.min(tableBytes, value);
        break;
      case setting.enablePush:
        if (value !== 0) throw new Http2Violation(errorCode.protocolError, 'a server that asks for pushes');
        break;
      case setting.maxConcurrentStreams:
        concurrentStreams = value;
        break;
      case setting.initialWindowSize:
        if (value > maxWindowBytes) throw new Http2Violation(errorCode.flowControlError, 'a window is too large');
        windowBytes = value;
        break;
      case setting.maxFrameSize:
        // Longer frames than every peer takes are not sent.
        if (value < 16_384 || value > 16_777_215) throw new Http2Violation(errorCode.protocolError, 'a frame size that there is not');
        break;
      default:
    }
  }
  return { tableBytes, concurrentStreams, windowBytes };
}
