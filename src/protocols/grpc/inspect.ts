import { GatewayFault } from '../../core/fault.ts';
import type { BodyInspector } from '../request.ts';
import type { Call } from './call.ts';
import { FrameCounter } from './frame.ts';
import { severalMessages } from './sent-messages.ts';
import { TextDecoding } from './web.ts';

/**
 * Looks at the messages of a client as they pass: each is bounded by what its header announces, before it passes. They go on as they came; only the base64 of
 * gRPC-Web is taken off.
 */
export class CallInspector implements BodyInspector {
  readonly #counter: FrameCounter;
  readonly #text: TextDecoding | undefined;
  readonly #isUnary: boolean;

  constructor({ head, environment, described }: Call) {
    this.#counter = new FrameCounter({ maxBytes: environment.target.maxMessageBytes, of: 'request' });
    this.#text = head.carriage === 'web-text' ? new TextDecoding() : undefined;
    this.#isUnary = described?.clientStreams === false;
  }

  push(bytes: Uint8Array): Uint8Array {
    const passed = this.#text?.push(bytes) ?? bytes;
    this.#counter.push(passed);
    if (this.#isUnary && this.#counter.messages > 1) throw severalMessages();
    return passed;
  }

  end(): void {
    this.#text?.end();
    if (!this.#counter.isBetween) {
      throw new GatewayFault('protocol-violation', { publicMessage: 'the request ends in the middle of a message' });
    }
  }
}
