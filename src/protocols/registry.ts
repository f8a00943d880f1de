import type { WireSession } from '../core/effect.ts';
import { cosmosProtocol } from './cosmos/index.ts';
import { grpcProtocol } from './grpc/index.ts';
import { httpProtocol } from './http/index.ts';
import { kubernetesProtocol } from './kubernetes/index.ts';
import type { RequestDialect } from './request.ts';
import { createPostgresSession, type PostgresEnvironment } from './postgres/index.ts';

/** A protocol whose sessions `net/drive.ts` runs. */
export interface WireProtocol<Environment> {
  /** ALPN protocol names that its clients may offer. */
  readonly alpn: readonly string[];
  createSession(environment: Environment): WireSession;
}

/** Every wire protocol of this gateway: one line each. */
export const wireProtocols = {
  postgres: { alpn: ['postgresql'], createSession: createPostgresSession } satisfies WireProtocol<PostgresEnvironment>,
};

/** Every request protocol, served by `net/http-server.ts`: one line each. The first one words what no other recognises. */
export const requestProtocols = { http: httpProtocol, grpc: grpcProtocol, kubernetes: kubernetesProtocol, cosmos: cosmosProtocol };

export const requestDialects: readonly [RequestDialect, ...RequestDialect[]] = [
  requestProtocols.http,
  requestProtocols.grpc,
  requestProtocols.kubernetes,
  requestProtocols.cosmos,
];
