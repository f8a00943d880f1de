import {
  Metadata,
  Server,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { startServer, type RunningServer } from './server.ts';

export interface Account {
  readonly number: string;
  readonly owner: string;
  readonly ssn: string;
  readonly note: string;
}

interface Wanted {
  readonly number: string;
  readonly count: number;
}

/** A grpc-js server that knows what must not be seen. `seen`: the calls that it was asked for, with their metadata. `cancelled`: those whose client gave up. */
export interface Bank extends RunningServer {
  readonly seen: { readonly method: string; readonly metadata: Metadata }[];
  readonly cancelled: string[];
}

export async function startBank(
  definition: PackageDefinition,
  certificate: { readonly cert: string; readonly key: string },
): Promise<Bank> {
  const seen: { readonly method: string; readonly metadata: Metadata }[] = [];
  const note = (method: string, { metadata }: { readonly metadata: Metadata }): void => void seen.push({ method, metadata });

  const cancelled: string[] = [];

  const Get: handleUnaryCall<Wanted, Account> = (call, reply) => {
    note('Get', call);
    const trailers = new Metadata();
    trailers.set('x-last-card', card);
    reply(null, account(call.request.number), trailers);
  };
  const List: handleServerStreamingCall<Wanted, Account> = (call) => {
    note('List', call);
    for (let index = 0; index < call.request.count; index += 1) call.write(account(String(index)));
    // One that asks for none is kept waiting.
    if (call.request.count > 0) call.end();
    else call.write(account('0'));
  };
  const Import: handleClientStreamingCall<Account, Wanted> = (call, reply) => {
    note('Import', call);
    let count = 0;
    call.on('data', () => (count += 1));
    call.on('end', () => reply(null, { number: '', count }));
    call.on('error', () => {});
  };
  const Talk: handleBidiStreamingCall<Wanted, Account> = (call) => {
    note('Talk', call);
    call.on('data', ({ number }: Wanted) => call.write(account(number)));
    call.on('end', () => call.end());
    call.on('error', () => {});
  };
  const Shut: handleUnaryCall<Wanted, Wanted> = (call, reply) => {
    note('Shut', call);
    reply(null, call.request);
  };
  const Fail: handleUnaryCall<Wanted, Account> = (call, reply) => {
    note('Fail', call);
    const metadata = new Metadata();
    metadata.set('x-card', card);
    metadata.set('grpc-status-details-bin', Buffer.from(`\x12\x10${card}`, 'latin1'));
    reply({ code: 5, details: `no account of ${ssn}, card ${card}`, metadata });
  };
  const Sleep: handleUnaryCall<Wanted, Wanted> = (call, reply) => {
    note('Sleep', call);
    call.on('cancelled', () => cancelled.push('Sleep'));
    setTimeout(() => reply(null, call.request), call.request.count * 1000).unref();
  };

  const server = new Server();
  server.addService(definition['bank.v1.Ledger'] as ServiceDefinition, { Get, List, Import, Talk, Shut, Fail, Sleep });
  return { ...(await startServer(server, certificate)), seen, cancelled };
}

function account(number: string): Account {
  return { number, owner: 'Ada', ssn, note: `paid by ${card}` };
}

export const ssn = '536-90-4399';
export const card = '4111111111111111';
