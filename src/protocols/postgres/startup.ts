import type { Effect, OpenSession, SignInRequest } from '../../core/effect.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Act } from '../../core/operation.ts';
import { decodePassword, decodeSASLInitialResponse, decodeStartup } from './decode.ts';
import * as encode from './encode.ts';
import type { PostgresEnvironment } from './environment.ts';
import { faultMessage } from './fault.ts';
import { tagTable, type Framer } from './frame.ts';
import { CLIENT_TAG, LIMIT_BYTES, STARTUP_CODE, type StartupMessage } from './messages.ts';
import { bearerToken, checkOAuthBearerAbort, oauthBearerError } from './oauth.ts';
import { databaseObject } from './objects.ts';
import { Reasons } from './reason.ts';
import { startupSettings, type Settings } from './settings.ts';

/** What the client asked for before it signed in. */
export interface ClientStartup {
  readonly user: string;
  /** The database at the target; undefined: the target's own. */
  readonly database: string | undefined;
  readonly settings: Settings;
  /** 0 or 2: the protocol's minor version spoken with the client. */
  readonly minor: number;
}

type State = 'first-packet' | 'encrypting' | 'credential' | 'oauth-error-acknowledgement' | 'signing-in' | 'signed-in' | 'ended';

/**
 * The first door of a PostgreSQL connection: encryption, the startup packet, the token ("Start-up", "SSL Session Encryption" in the
 * manual's "Message Flow"). Bytes that came with an SSLRequest are never decoded as what came after it (CVE-2021-23214); nothing of
 * the upstream exists yet.
 */
export class Startup {
  readonly #environment: PostgresEnvironment;
  readonly #framer: Framer;
  #state: State = 'first-packet';
  #encrypted = false;
  #direct = false;
  #refusedGss = false;
  #refusedTls = false;
  #refusal: GatewayFault | undefined;
  #client: ClientStartup | undefined;

  constructor(environment: PostgresEnvironment, framer: Framer) {
    this.#environment = environment;
    this.#framer = framer;
  }

  /** Defined once the startup packet was accepted. */
  get client(): ClientStartup | undefined {
    return this.#client;
  }

  receive(): readonly Effect[] {
    const out: Effect[] = [];
    while (this.#step(out));
    return out;
  }

  encrypted(alpn: string | undefined): readonly Effect[] {
    if (this.#direct && alpn !== alpnName) {
      throw new GatewayFault('protocol-violation', { publicMessage: 'direct TLS needs the ALPN protocol "postgresql"' });
    }
    if (this.#framer.unreadBytes > 0) throw violation('bytes sent ahead of the TLS handshake');
    this.#encrypted = true;
    this.#state = 'first-packet';
    return [];
  }

  signedIn(session: OpenSession): readonly Effect[] {
    this.#state = 'signed-in';
    return [reply(encode.authenticationOk()), { kind: 'connect', grant: session.grant }];
  }

  refused(fault: GatewayFault): readonly Effect[] {
    if (this.#environment.clientAuth === 'oauthbearer') {
      this.#refusal = fault;
      this.#state = 'oauth-error-acknowledgement';
      const error = oauthBearerError(this.#environment.openidConfiguration);
      return [reply(encode.authenticationSASLContinue(error))];
    }
    return this.#end(fault);
  }

  #step(out: Effect[]): boolean {
    switch (this.#state) {
      case 'first-packet':
        return this.#packet(out);
      case 'credential':
        return this.#credential(out);
      case 'oauth-error-acknowledgement':
        if (this.#framer.next(credentialTable) === undefined) return false;
        checkOAuthBearerAbort(this.#framer.body());
        out.push(...this.#end(this.#refusal as GatewayFault));
        return false;
      default:
        return false;
    }
  }

  #packet(out: Effect[]): boolean {
    const first = this.#framer.peek();
    if (first === undefined) return false;
    if (first === tlsHandshakeRecord && !this.#encrypted && this.#environment.canEncrypt) {
      this.#direct = true;
      this.#state = 'encrypting';
      out.push({ kind: 'start-tls', side: 'client', unread: this.#framer.takeUnread(), alpn: alpnName });
      return false;
    }
    if (this.#framer.nextStartup() === undefined) return false;
    const packet = decodeStartup(this.#framer.body());
    switch (packet.kind) {
      case 'SSLRequest':
        return this.#sslRequest(out);
      case 'GSSENCRequest':
        if (this.#refusedGss || this.#encrypted) throw violation('repeated GSSENCRequest');
        this.#refusedGss = true;
        out.push(reply(noThanks));
        return true;
      case 'CancelRequest':
        this.#state = 'ended';
        out.push({ kind: 'cancel', key: cancelKeyOf(packet.processId, packet.secretKey) }, { kind: 'close', fault: undefined });
        return false;
      case 'StartupMessage':
        this.#startupMessage(packet, out);
        return true;
    }
  }

  #sslRequest(out: Effect[]): boolean {
    if (this.#encrypted) throw violation('SSLRequest inside TLS');
    if (!this.#environment.canEncrypt) {
      if (this.#refusedTls) throw violation('repeated SSLRequest');
      this.#refusedTls = true;
      out.push(reply(noThanks));
      return true;
    }
    if (this.#framer.unreadBytes > 0) throw violation('bytes sent ahead of the TLS handshake');
    this.#state = 'encrypting';
    out.push(reply(yesPlease), { kind: 'start-tls', side: 'client', unread: undefined, alpn: undefined });
    return false;
  }

  #startupMessage(packet: StartupMessage, out: Effect[]): void {
    if (!this.#encrypted && !this.#environment.unsafePlaintext) {
      throw new GatewayFault('encryption-required', {
        publicMessage: 'this gateway accepts encrypted connections only',
        hint: 'Connect with sslmode=verify-full.',
      });
    }
    const options = packet.parameters.filter((parameter) => parameter.name.startsWith('_pq_.')).map((parameter) => parameter.name);
    const minor = packet.minor >= newestMinor ? newestMinor : 0;
    if (packet.minor !== minor || options.length > 0) out.push(reply(encode.negotiateProtocolVersion(minor, options)));

    const value = (name: string): string | undefined => packet.parameters.find((parameter) => parameter.name === name)?.value;
    const user = value('user') ?? '';
    if (user === '') throw violation('startup packet without a user name');
    if (value('replication') !== undefined) throw new GatewayFault('unsupported', { publicMessage: 'replication connections are refused' });
    const { target, database } = this.#address(value('database') ?? user);
    const settings = startupSettings(packet.parameters);
    this.#client = { user, database, settings, minor };
    this.#target = target;
    this.#state = 'credential';
    const oauth = this.#environment.clientAuth === 'oauthbearer';
    out.push(reply(oauth ? encode.authenticationSASL(['OAUTHBEARER']) : encode.authenticationCleartextPassword()));
  }

  #target: string | undefined;

  /** `<target>` or `<target>/<database>`; on a target's own port the database is just that. */
  #address(named: string): { target: string | undefined; database: string | undefined } {
    const { listenerTarget } = this.#environment;
    if (listenerTarget !== undefined) {
      const own = named === listenerTarget || named === this.#environment.target(listenerTarget).database;
      return { target: undefined, database: own ? undefined : named };
    }
    const slash = named.indexOf('/');
    if (slash < 0) return { target: named, database: undefined };
    const database = named.slice(slash + 1);
    if (database === '') throw violation('a database without a name');
    return { target: named.slice(0, slash), database };
  }

  #credential(out: Effect[]): boolean {
    if (this.#framer.next(credentialTable) === undefined) return false;
    const body = this.#framer.body();
    const oauth = this.#environment.clientAuth === 'oauthbearer';
    const credential = oauth ? bearerToken(decodeSASLInitialResponse(body)) : decodePassword(body);
    if (oauth && credential === '') {
      // The client only asks where the issuer is (RFC 7628 section 4.3).
      out.push(...this.refused(new GatewayFault('authentication-failed', { publicMessage: 'no token was sent' })));
      return true;
    }
    this.#state = 'signing-in';
    out.push({ kind: 'sign-in', request: this.#signInRequest(credential) });
    return false;
  }

  #signInRequest(credential: string): SignInRequest {
    const { user, database, settings } = this.#client as ClientStartup;
    const reason = new Reasons(settings).of('');
    return {
      credential,
      targetName: this.#target,
      part: database,
      claimedUser: user,
      facts: { protocol: 'postgres', ...(reason === undefined ? {} : { reason }) },
      acts: (targetName) => connectActs(targetName, database, settings),
    };
  }

  #end(fault: GatewayFault): readonly Effect[] {
    this.#state = 'ended';
    return [reply(faultMessage(fault, { phase: 'startup' })), { kind: 'close', fault }];
  }
}

/** The key under which a client cancels: its process id and secret together, as in CancelRequest. */
export function cancelKeyOf(processId: number, secretKey: Uint8Array): Uint8Array {
  const key = new Uint8Array(4 + secretKey.length);
  new DataView(key.buffer).setInt32(0, processId);
  key.set(secretKey, 4);
  return key;
}

function connectActs(targetName: string, database: string | undefined, settings: Settings): readonly Act[] {
  const acts: Act[] = [{ action: 'connect', object: { type: 'Target', id: targetName } }];
  if (database !== undefined) acts.push({ action: 'connect', object: databaseObject(targetName, database) });
  for (const name of settings.guarded) acts.push({ action: 'sql:set', object: { type: 'Setting', id: `${targetName}/${name}` } });
  return acts;
}

function reply(bytes: Uint8Array): Effect {
  return { kind: 'reply', bytes, grant: undefined };
}

function violation(detail: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `protocol violation: ${detail}` });
}

const credentialTable = tagTable({
  expecting: 'the answer to the request for a credential',
  open: [[CLIENT_TAG.AuthenticationResponse, LIMIT_BYTES.sasl]],
});
const alpnName = 'postgresql';
const newestMinor = STARTUP_CODE.Protocol32 & 0xffff;
const tlsHandshakeRecord = 0x16;
const yesPlease = new Uint8Array([0x53]);
const noThanks = new Uint8Array([0x4e]);
