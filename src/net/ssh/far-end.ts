import type { Duplex } from 'node:stream';
import type { GatewayFault } from '../../core/fault.ts';
import type { SshChannel } from './channel.ts';

/** The other end of a forward: a channel at the target, or a connection to another target. */
export interface FarEnd {
  listen(listener: FarListener): void;
  write(bytes: Uint8Array): void;
  isFull(): boolean;
  pause(): void;
  resume(): void;
  /** Nothing more goes to it. */
  end(): void;
  close(): void;
}

export interface FarListener {
  readonly data: (bytes: Uint8Array) => void;
  readonly end: () => void;
  readonly drained: () => void;
  /** `fault`: it was lost. */
  readonly closed: (fault?: GatewayFault) => void;
}

export function channelEnd(channel: SshChannel): FarEnd {
  return {
    listen: ({ data, end, drained, closed }) =>
      channel.listen({
        data: (_stream, bytes) => data(bytes),
        eof: end,
        request: ({ wantReply }) => {
          if (wantReply) channel.behind((protocol, peer) => protocol.channelFailure(peer));
        },
        answered: () => {},
        drained,
        closed,
      }),
    write: (bytes) => void channel.write('data', bytes),
    isFull: () => channel.isFull,
    pause: () => channel.pause(),
    resume: () => channel.resume(),
    end: () => channel.end(),
    close: () => channel.close(),
  };
}

export function streamEnd(stream: Duplex): FarEnd {
  return {
    listen: ({ data, end, drained, closed }) => {
      stream
        .on('data', data)
        .on('end', end)
        .on('drain', drained)
        .on('error', () => closed())
        .on('close', () => closed());
    },
    write: (bytes) => void stream.write(bytes),
    isFull: () => stream.writableNeedDrain,
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    end: () => void stream.end(),
    close: () => void stream.destroy(),
  };
}
