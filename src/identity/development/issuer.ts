import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { importJWK, SignJWT } from 'jose';
import type { Provider } from 'oidc-provider';
import { developmentKeys, type DevelopmentKeys } from './keys.ts';
import { developmentNotice, messagePage } from './pages.ts';
import { answerInteraction, developmentProvider, peopleClientId } from './provider.ts';

export interface DevelopmentIssuerOptions {
  /** 0 or absent: any free port. With a fixed port and a folder the issuer is the same one after a restart. */
  readonly port?: number;
  /** `aud` of every access token. */
  readonly audience: string;
  readonly pipelines: readonly DevelopmentPipeline[];
  readonly people: readonly DevelopmentPerson[];
  /** Where the signing keys are kept. Absent: they die with the process. */
  readonly folder?: string;
  /** Lifetime of tokens, seconds. Default 3,600. */
  readonly lifetimeSeconds?: number;
}

/** A CI pipeline or an agent: client credentials, claims as its CI system would give them. */
export interface DevelopmentPipeline {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly subject: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface DevelopmentPerson {
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
}

export interface DevelopmentIssuer {
  /** `iss`, and the base of all its URLs, without a trailing slash. */
  readonly issuer: string;
  readonly url: string;
  /** The public client through which people sign in. */
  readonly peopleClientId: string;
  /** One line to print wherever the issuer is started. */
  readonly notice: string;
  /**
   * Signs an access token for a pipeline (by client id or subject) or a person (by subject), without a request. `claims` replace what
   * would stand there; `undefined` removes a claim.
   */
  mint(identifier: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
}

/**
 * An OIDC server for demonstrations and tests: discovery, keys, client credentials for pipelines, authorization code with PKCE and
 * device code for people, who choose who they are and need no password. Listens on 127.0.0.1 only and answers to no other host name.
 */
export async function startDevelopmentIssuer(options: DevelopmentIssuerOptions): Promise<DevelopmentIssuer> {
  const keys = await developmentKeys(options.folder);
  const lifetimeSeconds = options.lifetimeSeconds ?? 3_600;
  const server = createServer();
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer = `http://${host}`;
  const claimsOf = (identifier: string): Readonly<Record<string, unknown>> => claimsFor(options, identifier);
  const provider = developmentProvider(issuer, options, keys, claimsOf, lifetimeSeconds);
  server.on('request', answerWith(provider, options, host));
  return {
    issuer,
    url: issuer,
    peopleClientId,
    notice: developmentNotice,
    mint: (identifier, claims = {}) => mint(issuer, options, keys, lifetimeSeconds, identifier, claims),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answerWith(provider: Provider, options: DevelopmentIssuerOptions, host: string) {
  const callback = provider.callback();
  return (request: IncomingMessage, response: ServerResponse): void => {
    const answer = async (): Promise<void> => {
      // Another host name leads here only by DNS rebinding from a browser.
      if (request.headers.host !== host) sendPage(response, 421, messagePage('Wrong host', `Use http://${host}`));
      else if (request.url?.startsWith('/interaction/') === true) await answerInteraction(provider, options, request, response);
      else await callback(request, response);
    };
    answer().catch(() => {
      if (!response.headersSent)
        sendPage(response, 400, messagePage('This did not work', 'The sign-in is not known or over. Start again.'));
      else response.destroy();
    });
  };
}

function sendPage(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(html);
}

/** `idtyp` tells pipelines and people apart, as Entra ID's tokens do. */
function claimsFor(options: DevelopmentIssuerOptions, identifier: string): Readonly<Record<string, unknown>> {
  const pipeline = options.pipelines.find(({ clientId }) => clientId === identifier);
  if (pipeline !== undefined) return { ...pipeline.claims, idtyp: 'app' };
  const person = options.people.find(({ subject }) => subject === identifier);
  if (person === undefined) return {};
  return { name: person.name, preferred_username: person.subject, groups: person.groups, idtyp: 'user' };
}

async function mint(
  issuer: string,
  options: DevelopmentIssuerOptions,
  keys: DevelopmentKeys,
  lifetimeSeconds: number,
  identifier: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const pipeline = options.pipelines.find(({ clientId, subject }) => identifier === clientId || identifier === subject);
  const person = options.people.find(({ subject }) => subject === identifier);
  const [key] = keys.keys;
  if (key === undefined || (pipeline === undefined && person === undefined)) throw new RangeError(`nobody here is called ${identifier}`);
  const iat = Math.floor(Date.now() / 1000);
  return new SignJWT({
    ...claimsFor(options, pipeline?.clientId ?? identifier),
    iss: issuer,
    aud: options.audience,
    sub: pipeline?.subject ?? identifier,
    client_id: pipeline?.clientId ?? peopleClientId,
    jti: randomUUID(),
    iat,
    exp: iat + lifetimeSeconds,
    ...claims,
  })
    .setProtectedHeader({ alg: key.alg ?? '', kid: key.kid ?? '', typ: 'at+jwt' })
    .sign(await importJWK(key));
}
