import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import { GatewayFault, toFault } from '../../core/fault.ts';
import { clientKeys } from '../../protocols/ssh/algorithms.ts';
import { violation, wordFault } from '../../protocols/ssh/fault.ts';
import { readUserName, type AskedUser } from '../../protocols/ssh/user-name.ts';
import { isSignedBy } from './client-key.ts';
import { sendBanner } from './payload.ts';

/** Keys that this gateway gave out. */
export interface SshKeys {
  /** Whether signing with it would be of use. Says nothing about who has it. */
  offered(publicKeyBlob: Uint8Array, targetName: string): Promise<boolean>;
  /** For the key that has just signed: a credential to sign in with, once. Undefined: it is none of ours, or not for this target. */
  credentialFor(publicKeyBlob: Uint8Array, targetName: string): Promise<string | undefined>;
}

export interface SignInOptions {
  readonly protocol: () => Protocol;
  readonly keys: SshKeys;
  /** The target that the port fixes, if it does. */
  readonly listenerTarget: string | undefined;
  /** Opens the session. Rejects with the fault of whatever does not let it. */
  readonly open: (credential: string, asked: AskedUser, userName: string) => Promise<void>;
  /** Somebody who is to be ended with this fault: tries are used up, the protocol is not kept. */
  readonly fail: (fault: GatewayFault) => void;
}

/**
 * Signing in of one client (RFC 4252, 4256): with a gateway token or OIDC token as password, the same in parts by keyboard-interactive, or with a key that was given
 * out for this target and has signed. One request at a time; `none` and everything else fail. A refusal is told in a banner, since RFC 4252 has no words for it.
 */
export class SignIn {
  readonly messages = {
    SERVICE_REQUEST: (name: string) => this.#service(name),
    USERAUTH_REQUEST: (user: string, service: string, method: string, data: unknown) => this.#next({ user, service, method, data }),
    USERAUTH_INFO_RESPONSE: (answers: readonly string[]) => this.#answers(answers),
  };
  readonly #options: SignInOptions;
  #hasService = false;
  #user: string | undefined;
  #requests = 0;
  #failures = 0;
  #isOver = false;
  #deciding = false;
  readonly #queue: AuthRequest[] = [];
  /** What came of a token by keyboard-interactive so far; undefined: nothing is asked. */
  #parts: string[] | undefined;

  constructor(options: SignInOptions) {
    this.#options = options;
  }

  get #protocol(): Protocol {
    return this.#options.protocol();
  }

  #service(name: string): void {
    if (this.#hasService || name !== 'ssh-userauth') throw violation(`service ${name.slice(0, 64)}`);
    this.#hasService = true;
    this.#protocol.serviceAccept(name);
  }

  #next(request: AuthRequest): void {
    // RFC 4252 section 5.1: what comes after success is ignored.
    if (this.#isOver) return;
    this.#user ??= request.user;
    if (!this.#hasService || request.service !== 'ssh-connection' || request.user !== this.#user)
      throw violation('sign-in out of its turn');
    this.#requests += 1;
    if (this.#requests > mostRequests || this.#queue.length >= mostQueued) {
      this.#options.fail(tooManyTries());
      return;
    }
    this.#queue.push(request);
    void this.#work();
  }

  /** One after the other: what a request is answered must not depend on what else is on its way. */
  async #work(): Promise<void> {
    if (this.#deciding) return;
    this.#deciding = true;
    try {
      for (let request = this.#queue.shift(); request !== undefined && !this.#isOver; request = this.#queue.shift()) {
        // A new request takes the place of one that waits for answers (RFC 4256 section 3.1).
        this.#parts = undefined;
        await this.#decide(request);
      }
    } catch (error) {
      this.#options.fail(toFault(error));
    } finally {
      this.#deciding = false;
    }
  }

  async #decide({ user, method, data }: AuthRequest): Promise<void> {
    switch (method) {
      case 'password':
        if (typeof data === 'string') await this.#open(data, user);
        else this.#failed(undefined);
        return;
      case 'keyboard-interactive':
        this.#prompt([]);
        return;
      case 'publickey':
        await this.#key(user, data as KeyRequest);
        return;
      default:
        // `none` is how clients ask for the methods: no try.
        this.#refuse();
    }
  }

  // ---- keyboard-interactive

  #answers(answers: readonly string[]): void {
    const parts = this.#parts;
    if (this.#isOver || this.#deciding) return;
    if (parts === undefined || answers.length !== 1) throw violation('answers to questions that were not asked');
    const answer = answers[0]!;
    parts.push(answer);
    // OpenSSH cuts every answer at 1,023 bytes. A long one may go on in the next; an empty one ends it.
    if (answer.length >= longAnswer && parts.length < mostParts) {
      this.#prompt(parts);
      return;
    }
    this.#parts = undefined;
    this.#deciding = true;
    void this.#open(parts.join(''), this.#user ?? '')
      .catch((error: unknown) => this.#options.fail(toFault(error)))
      .finally(() => {
        this.#deciding = false;
        void this.#work();
      });
  }

  #prompt(parts: string[]): void {
    this.#parts = parts;
    const prompt = parts.length === 0 ? 'Token: ' : `Token, part ${parts.length + 1} (empty: that was all): `;
    this.#protocol.authInfoReq('', '', [{ prompt, echo: false }]);
  }

  // ---- keys

  async #key(user: string, { keyAlgo, key, signature, blob }: KeyRequest): Promise<void> {
    const { keys } = this.#options;
    const target = this.#asked(user)?.target;
    if (keyAlgo.includes('-cert-')) {
      this.#say('sallyport: certificates are not taken here. Use the key that sallyport token --ssh makes.');
      this.#failed(undefined);
    } else if (target === undefined || !clientKeys.has(keyAlgo)) this.#failed(undefined, signature !== undefined);
    else if (signature === undefined || blob === undefined) {
      if (await keys.offered(key, target)) this.#protocol.authPKOK(keyAlgo, key);
      else this.#failed(undefined, false);
    } else if (isSignedBy(key, blob, signature)) {
      const credential = await keys.credentialFor(key, target);
      if (credential === undefined) this.#failed(undefined);
      else await this.#open(credential, user);
    } else this.#failed(undefined);
  }

  // ---- what comes of it

  async #open(credential: string, user: string): Promise<void> {
    try {
      // ssh2 has decoded it: what was not UTF-8 is no token.
      if (credential.includes('\ufffd')) throw unreadable();
      const asked = readUserName(user, this.#options.listenerTarget);
      await this.#options.open(credential, asked, user);
      this.#isOver = true;
      this.#protocol.authSuccess();
    } catch (error) {
      this.#failed(toFault(error));
    }
  }

  #asked(user: string): AskedUser | undefined {
    try {
      return readUserName(user, this.#options.listenerTarget);
    } catch {
      return undefined;
    }
  }

  #failed(fault: GatewayFault | undefined, counts = true): void {
    if (this.#isOver) return;
    if (counts) this.#failures += 1;
    if (fault !== undefined && fault.code !== 'authentication-failed') this.#say(wordFault(fault).text);
    if (this.#failures >= mostFailures) {
      this.#isOver = true;
      this.#options.fail(fault ?? tooManyTries());
    } else this.#refuse();
  }

  #refuse(): void {
    this.#protocol.authFailure(methods);
  }

  #say(text: string): void {
    sendBanner(this.#protocol, `${text}\r\n`);
  }
}

interface AuthRequest {
  readonly user: string;
  readonly service: string;
  readonly method: string;
  readonly data: unknown;
}

interface KeyRequest {
  readonly keyAlgo: string;
  readonly key: Buffer;
  readonly signature?: Buffer;
  /** What was signed: the session's id and the request. */
  readonly blob?: Buffer;
}

function tooManyTries(): GatewayFault {
  return new GatewayFault('authentication-failed', { publicMessage: 'too many attempts to sign in' });
}

function unreadable(): GatewayFault {
  return new GatewayFault('authentication-failed', { publicMessage: 'sign-in failed', detail: 'the password is not UTF-8' });
}

const methods = ['publickey', 'password', 'keyboard-interactive'];
/** Keys of an agent are offered one by one; what fails besides is a guess. */
const mostRequests = 30;
const mostFailures = 6;
const mostQueued = 4;
const longAnswer = 512;
const mostParts = 8;
