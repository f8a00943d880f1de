import { speaksOfCredential, type CheckedHead, type RawHead } from '../protocols/http/index.ts';
import type { HeaderField, RequestDialect } from '../protocols/request.ts';
import { hashOf } from './http-sessions.ts';

/** What was found of a head whose sender was let in. */
export interface KnownHead {
  /** Without the credential. `upstream` is the same object each time. */
  readonly head: CheckedHead;
  readonly dialect: RequestDialect;
  readonly credentialHash: string;
}

/**
 * The last heads of one connection of HTTP/2. Clients send the same one with nearly every call; what was found of it is found again where every name and value is the same. Of the credential
 * a hash is kept and compared, and no head is kept that may have a secret anywhere else. What can change between two calls is not in here: it is asked every time. A call of gRPC may have another deadline each time,
 * which does not go upstream as it came.
 */
export class Http2Heads {
  #kept: readonly KeptHead[] = [];
  /** Heads that were kept since one was found. */
  #inVain = 0;

  find({ rawHeaders }: RawHead): KnownHead | undefined {
    for (const kept of this.#kept) {
      if (!isSame(kept, rawHeaders)) continue;
      this.#inVain = 0;
      const { head, dialect, credentialHash, deadlineAt } = kept;
      if (deadlineAt === 0) return kept;
      const fields = [...head.fields, { name: deadlineField, value: rawHeaders[deadlineAt]! }];
      return { head: { ...head, fields }, dialect, credentialHash };
    }
    return undefined;
  }

  /** `checked`: of a request whose `credential` was let in. */
  keep({ rawHeaders, target }: RawHead, checked: CheckedHead, credential: string, dialect: RequestDialect): void {
    if (this.#inVain >= mostInVain) return;
    const secretAt = rawHeaders.indexOf('authorization') + 1;
    const secret = rawHeaders[secretAt];
    if (secretAt % 2 === 0 || secret?.endsWith(credential) !== true || target.includes('?')) return;
    const deadlineAt = dialect.name === 'grpc' ? rawHeaders.indexOf(deadlineField) + 1 : 0;
    if (deadlineAt > 0 && !(isDeadline(rawHeaders[deadlineAt]) && rawHeaders.lastIndexOf(deadlineField) + 1 === deadlineAt)) return;
    const said = rawHeaders.with(secretAt, '');
    if (said.some((name, at) => at % 2 === 0 && at !== secretAt - 1 && speaksOfCredential(name))) return;
    if (said.length > mostTexts || said.join('').length > mostCharacters) return;
    const shared =
      deadlineAt === 0 ? checked : { ...checked, fields: withoutDeadline(checked.fields), upstream: withoutDeadline(checked.upstream) };
    const head = { ...shared, authorization: undefined };
    const kept = { head, dialect, credentialHash: hashOf(credential), said, secretAt, secretHash: hashOf(secret), deadlineAt };
    this.#inVain += 1;
    this.#kept = this.#inVain < mostInVain ? [kept, ...this.#kept].slice(0, mostHeads) : [];
  }
}

interface KeptHead extends KnownHead {
  /** Names and values in turn, nothing in the place of the credential. */
  readonly said: readonly string[];
  readonly secretAt: number;
  readonly secretHash: string;
  /** 0: it has none, or it is a field like any other. */
  readonly deadlineAt: number;
}

function isSame({ said, secretAt, secretHash, deadlineAt }: KeptHead, sent: readonly string[]): boolean {
  if (sent.length !== said.length) return false;
  for (let at = 0; at < said.length; at += 1) {
    if (said[at] !== sent[at] && at !== secretAt && !(at === deadlineAt && isDeadline(sent[at]))) return false;
  }
  return hashOf(sent[secretAt]!) === secretHash;
}

function withoutDeadline(fields: readonly HeaderField[]): readonly HeaderField[] {
  return fields.filter(({ name }) => name !== deadlineField);
}

/** As every server reads it: with anything else the head is looked at. */
function isDeadline(value: string | undefined): boolean {
  return value !== undefined && /^[0-9]{1,8}[HMSmun]$/.test(value);
}

const deadlineField = 'grpc-timeout';
const mostHeads = 4;
/** A client of which each head is another one (by a trace) is left alone. */
const mostInVain = 16;
const mostTexts = 80;
const mostCharacters = 4_096;
