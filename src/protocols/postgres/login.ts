import type { Effect, OpenSession } from '../../core/effect.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Target } from '../../core/target.ts';
import { decodeServer } from './decode.ts';
import * as encode from './encode.ts';
import type { PostgresEnvironment, PostgresTarget } from './environment.ts';
import { tagTable, type Framer } from './frame.ts';
import { LIMIT_BYTES, SERVER_TAG, type AuthenticationRequest, type ServerMessage, type StartupParameter } from './messages.ts';
import { createScramClient, md5Password, type ScramClient } from './scram.ts';
import { letsWrite, readOnlySettings } from './settings.ts';
import { cancelKeyOf, type ClientStartup } from './startup.ts';

/** What the relay needs to know of the upstream once it is ready. */
export interface UpstreamReady {
  readonly processId: number;
  /** The target's own cancel key. It never reaches the client. */
  readonly secretKey: Uint8Array;
  /** 15 of `15.18 (Debian …)`; undefined where the server does not say. */
  readonly majorVersion: number | undefined;
  /** Values that it reported (ParameterStatus). */
  readonly settings: ReadonlyMap<string, string>;
}

type State = 'unconnected' | 'tls-answer' | 'encrypting' | 'authentication' | 'settings' | 'ready';

/**
 * The gateway's own sign-on at the target, with the credential that only the gateway holds, on the client's behalf and under the grant
 * of `connect`. SCRAM-SHA-256(-PLUS) with the server's proof checked, MD5, a clear password only inside TLS. A server that answers
 * "no TLS" where TLS is configured is refused, never spoken to in the clear.
 */
export class Login {
  readonly #environment: PostgresEnvironment;
  readonly #framer: Framer;
  readonly #session: OpenSession;
  readonly #target: PostgresTarget;
  readonly #client: ClientStartup;
  #state: State = 'unconnected';
  #certificate: Uint8Array | undefined;
  #scram: ScramClient | undefined;
  #scramDone = false;
  #processId = 0;
  #hasKey = false;
  #sentPassword = false;
  #secretKey: Uint8Array = new Uint8Array(0);
  #majorVersion: number | undefined;
  readonly #settings = new Map<string, string>();

  constructor(environment: PostgresEnvironment, framer: Framer, session: OpenSession, target: PostgresTarget, client: ClientStartup) {
    this.#environment = environment;
    this.#framer = framer;
    this.#session = session;
    this.#target = target;
    this.#client = client;
  }

  get ready(): UpstreamReady | undefined {
    return this.#state === 'ready'
      ? { processId: this.#processId, secretKey: this.#secretKey, majorVersion: this.#majorVersion, settings: this.#settings }
      : undefined;
  }

  connected(): readonly Effect[] {
    if (!this.#target.tls) return this.#startup();
    this.#state = 'tls-answer';
    return [this.#forward(encode.sslRequest())];
  }

  encrypted(certificate: Uint8Array | undefined): readonly Effect[] {
    if (this.#framer.unreadBytes > 0) throw refusal('the target broke the protocol', 'bytes sent ahead of the TLS handshake');
    this.#certificate = certificate;
    return this.#startup();
  }

  receive(): readonly Effect[] {
    const out: Effect[] = [];
    if (this.#state === 'tls-answer') this.#tlsAnswer(out);
    while ((this.#state === 'authentication' || this.#state === 'settings') && this.#framer.next(loginTable) !== undefined) {
      this.#message(decodeServer(this.#framer.tag, this.#framer.body()), this.#framer.view(), out);
    }
    return out;
  }

  #tlsAnswer(out: Effect[]): void {
    const answer = this.#framer.peek();
    if (answer === undefined) return;
    this.#framer.skip();
    if (answer !== acceptsTls)
      throw refusal('the target does not offer TLS, which its configuration demands', 'answer to SSLRequest was not S');
    if (this.#framer.unreadBytes > 0) throw refusal('the target broke the protocol', 'bytes sent ahead of the TLS handshake');
    this.#state = 'encrypting';
    out.push({ kind: 'start-tls', side: 'upstream', unread: undefined, alpn: undefined });
  }

  #startup(): readonly Effect[] {
    this.#state = 'authentication';
    const readOnly = this.#session.target.readOnly === true;
    const parameters: StartupParameter[] = [
      { name: 'user', value: this.#target.user },
      { name: 'database', value: this.#client.database ?? this.#target.database },
      { name: 'client_encoding', value: 'UTF8' },
      { name: 'standard_conforming_strings', value: 'on' },
    ];
    for (const [name, value] of this.#client.settings.values) {
      if (readOnly && letsWrite(name, [value]))
        throw new GatewayFault('read-only', { publicMessage: 'this target is for reading only: its sessions stay read-only' });
      if (name !== 'standard_conforming_strings' && !(readOnly && readOnlySettings.has(name))) parameters.push({ name, value });
    }
    // As a startup parameter it is what RESET and DISCARD ALL go back to.
    if (readOnly) parameters.push({ name: 'default_transaction_read_only', value: 'on' });
    return [this.#forward(encode.startupMessage(0, parameters))];
  }

  #message(message: ServerMessage, view: Uint8Array, out: Effect[]): void {
    switch (message.kind) {
      case 'ErrorResponse':
        throw this.#refusedByTarget(message.fields);
      case 'NoticeResponse':
      case 'NegotiateProtocolVersion':
        return;
      case 'ParameterStatus':
        if (this.#state !== 'settings') throw refusal('the target broke the protocol', 'settings before authentication');
        if (message.name === 'server_version') this.#majorVersion = Number(/^\d{1,4}/.exec(message.value)?.[0]) || undefined;
        checkPinned(message.name, message.value, this.#session.target);
        this.#settings.set(message.name, message.value);
        out.push({ kind: 'reply', bytes: view, grant: this.#session.grant });
        return;
      case 'BackendKeyData':
        this.#keyData(message.processId, message.secretKey, out);
        return;
      case 'ReadyForQuery':
        if (this.#state !== 'settings') throw refusal('the target broke the protocol', 'ready before authentication');
        this.#state = 'ready';
        out.push({ kind: 'reply', bytes: view, grant: this.#session.grant });
        return;
      default:
        this.#authentication(message as AuthenticationRequest, out);
    }
  }

  #authentication(message: AuthenticationRequest, out: Effect[]): void {
    if (this.#state !== 'authentication') throw refusal('the target broke the protocol', `${message.kind} after authentication`);
    switch (message.kind) {
      case 'AuthenticationOk':
        if (this.#scram !== undefined && !this.#scramDone)
          throw refusal('the target did not prove itself', 'AuthenticationOk before the SCRAM server proof');
        this.#state = 'settings';
        return;
      case 'AuthenticationCleartextPassword':
        if (!this.#target.tls) throw refusal('the target wants a clear password without TLS', message.kind);
        out.push(this.#forward(encode.passwordMessage(this.#passwordOnce(message.kind))));
        return;
      case 'AuthenticationMD5Password': {
        const answer = md5Password(this.#environment.crypto, this.#target.user, this.#passwordOnce(message.kind), message.salt);
        out.push(this.#forward(encode.passwordMessage(answer)));
        return;
      }
      case 'AuthenticationSASL': {
        this.#scram = createScramClient({
          crypto: this.#environment.crypto,
          password: this.#passwordOnce(message.kind),
          mechanisms: message.mechanisms,
          certificate: this.#certificate,
        });
        out.push(this.#forward(encode.saslInitialResponse(this.#scram.mechanism, this.#scram.first())));
        return;
      }
      case 'AuthenticationSASLContinue':
        if (this.#scram === undefined) throw refusal('the target broke the protocol', message.kind);
        out.push(this.#forward(encode.saslResponse(this.#scram.continue(message.data))));
        return;
      case 'AuthenticationSASLFinal':
        if (this.#scram === undefined) throw refusal('the target broke the protocol', message.kind);
        this.#scram.verify(message.data);
        this.#scramDone = true;
        return;
      default:
        throw refusal('the target asks for a way to sign on that the gateway does not speak', message.kind);
    }
  }

  /** The client gets a secret of our own under the server's process id: `pg_backend_pid()` stays true, the target's key stays here. */
  #keyData(processId: number, secretKey: Uint8Array, out: Effect[]): void {
    if (this.#state !== 'settings' || this.#hasKey) throw refusal('the target broke the protocol', 'BackendKeyData out of place');
    this.#hasKey = true;
    this.#processId = processId;
    this.#secretKey = secretKey.slice();
    const own = this.#environment.crypto.randomBytes(this.#client.minor >= 2 ? 32 : 4);
    out.push({ kind: 'register-cancel-key', key: cancelKeyOf(processId, own) });
    out.push({ kind: 'reply', bytes: encode.backendKeyData(processId, own), grant: this.#session.grant });
  }

  /** One way of proving it is enough: a second question could only be after a weaker proof. */
  #passwordOnce(kind: string): string {
    if (this.#sentPassword) throw refusal('the target broke the protocol', `${kind} after another request for a password`);
    this.#sentPassword = true;
    if (this.#target.password === undefined) throw refusal('the target wants a password and none is configured', 'no upstream password');
    return this.#target.password;
  }

  #refusedByTarget(fields: ReadonlyMap<string, string>): GatewayFault {
    const state = fields.get('C') ?? '?';
    const busy = state.startsWith('53') || state.startsWith('57P');
    return new GatewayFault(busy ? 'upstream-unavailable' : 'upstream-refused', {
      publicMessage: `the target refused the gateway's connection (SQLSTATE ${state})`,
      detail: `the target refused the gateway: ${state} ${fields.get('M') ?? ''}`,
      hint: busy ? 'Try again in a moment.' : 'The gateway’s operators have the details.',
    });
  }

  #forward(bytes: Uint8Array): Effect {
    return { kind: 'forward', bytes, grant: this.#session.grant };
  }
}

/** Second line of defence behind `settings.ts`: what the server itself says of how it reads statements. */
export function checkPinned(name: string, value: string, { readOnly }: Target): void {
  if (readOnly === true && name === 'default_transaction_read_only' && value !== 'on') {
    throw new GatewayFault('upstream-refused', { publicMessage: 'the target left read-only mode, in which this session must stay' });
  }
  if ((name === 'client_encoding' && value !== 'UTF8') || (name === 'standard_conforming_strings' && value !== 'on')) {
    throw new GatewayFault('upstream-refused', {
      publicMessage: `the target changed ${name}; statements could no longer be read with certainty`,
      detail: `${name} became ${JSON.stringify(value)}`,
    });
  }
}

function refusal(publicMessage: string, detail: string): GatewayFault {
  return new GatewayFault('upstream-refused', { publicMessage, detail, hint: 'The gateway’s operators have the details.' });
}

const loginTable = tagTable({
  expecting: 'a message of the sign-on',
  open: [
    SERVER_TAG.Authentication,
    SERVER_TAG.BackendKeyData,
    SERVER_TAG.ErrorResponse,
    SERVER_TAG.NegotiateProtocolVersion,
    SERVER_TAG.NoticeResponse,
    SERVER_TAG.ParameterStatus,
    SERVER_TAG.ReadyForQuery,
  ].map((tag) => [tag, LIMIT_BYTES.password] as const),
});
const acceptsTls = 0x53;
