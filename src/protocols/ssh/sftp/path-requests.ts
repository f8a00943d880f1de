import type { Outcome } from '../../../core/effect.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import { RecentMap } from '../../../core/recent-map.ts';
import { textOf } from './decode.ts';
import { namePacket, packet, statusPacket } from './encode.ts';
import { statusName } from './fault.ts';
import type { SftpHost } from './host.ts';
import { maskNames } from './mask.ts';
import { STATUS, TYPE, type Answer, type Name } from './messages.ts';
import type { OpenFiles } from './open-files.ts';
import { FileOperation, prepareQuestion, type PreparedQuestion } from './operation.ts';
import { areRelated, canonicalPath, joinedPath, nameIn } from './path.ts';
import type { FileType, Finding, Plan } from './plan.ts';

/**
 * Requests about paths: each path is found out first, by the server's own REALPATH, so that what is decided on is the file itself and not a link to it; then it is decided; then the
 * request goes on, with the path that was found in place of the one that the client wrote. Between the two a link can be exchanged at the target, by whoever may do that there.
 *
 * What changes something waits for earlier requests about the same path, or one in or above it, and they for it, until those have gone to the target or were refused. All
 * others go on: nobody waits for a reviewer but whoever asked.
 */
export class PathRequests {
  readonly #host: SftpHost;
  readonly #files: OpenFiles;
  readonly #home: string;
  readonly #entries: Entry[] = [];
  readonly #prepared = new RecentMap<string, PreparedQuestion>(preparedQuestions);

  constructor(host: SftpHost, files: OpenFiles, home: string) {
    this.#host = host;
    this.#files = files;
    this.#home = home;
  }

  add(plan: Plan): void {
    const named = plan.paths.filter(({ finding }) => finding !== 'expand' && finding !== 'home');
    const entry: Entry = {
      plan,
      names: named.map(({ text }) => canonicalPath(text, this.#home)),
      found: [],
      missing: 0,
      type: undefined,
      isStarted: false,
    };
    this.#entries.push(entry);
    this.#startIfFree(entry);
  }

  #startIfFree(entry: Entry): void {
    for (const earlier of this.#entries) {
      if (earlier === entry) break;
      if (inTheWay(earlier, entry)) return;
    }
    entry.isStarted = true;
    this.#find(entry);
  }

  // ---- what the paths are

  #find(entry: Entry): void {
    const { plan } = entry;
    entry.missing = plan.paths.length + (plan.needsType ? 1 : 0);
    for (const [index, { text, finding }] of plan.paths.entries()) {
      this.#findPath(text, finding, (found) => {
        entry.found[index] = found;
        this.#foundOne(entry);
      });
    }
    if (!plan.needsType) return;
    this.#host.upstream.ask(
      this.#host.grant,
      (answer) => {
        if (answer.kind === 'attributes') entry.type = typeOf(answer.attributes.permissions);
        this.#foundOne(entry);
      },
      TYPE.stat,
      plan.paths[0]!.text,
    );
  }

  #findPath(text: string, finding: Finding, then: (found: Found) => void): void {
    const { upstream, grant } = this.#host;
    const place = finding === 'name' || finding === 'new' ? nameIn(text) : undefined;
    const fallback = canonicalPath(text, this.#home);
    const inFolder = (): void => {
      upstream.ask(grant, (answer) => then(foundIn(answer, fallback, place?.name)), TYPE.realpath, place?.folder ?? text);
    };
    if (finding === 'name' && place !== undefined) inFolder();
    else if (finding === 'expand')
      upstream.ask(grant, (answer) => then(foundIn(answer, fallback, undefined)), TYPE.extended, 'expand-path@openssh.com', text);
    else if (finding === 'home')
      upstream.ask(grant, (answer) => then(foundIn(answer, fallback, undefined)), TYPE.extended, 'home-directory', text);
    else
      upstream.ask(
        grant,
        (answer) => {
          if (finding === 'new' && place !== undefined && answer.kind === 'status' && answer.code === STATUS.noSuchFile) inFolder();
          else then(foundIn(answer, fallback, undefined));
        },
        TYPE.realpath,
        text === '' ? '.' : text,
      );
  }

  #foundOne(entry: Entry): void {
    entry.missing -= 1;
    if (entry.missing === 0) this.#judge(entry);
  }

  // ---- may it be

  #judge(entry: Entry): void {
    const { context } = this.#host;
    const { plan, found, type } = entry;
    const question = plan.question(
      found.map(({ path }) => path),
      type,
    );
    const operation = new FileOperation(context, question.pureRead ? this.#preparedOnce(question) : prepareQuestion(this.#host, question));
    const refusal = question.pureRead || question.acts.every(({ action }) => action === 'ssh:read-file') ? undefined : this.#readOnly();
    this.#host.ask(operation, refusal, (outcome) => this.#decided(entry, operation.id, outcome));
  }

  /** The same question is asked again and again while a client walks through folders. */
  #preparedOnce(question: PreparedQuestion['question']): PreparedQuestion {
    // Two that differ in more than their text are two.
    if (question.exact.length > 0) return prepareQuestion(this.#host, question);
    const key = `${String(question.facts['file_type'])} ${question.text}`;
    let prepared = this.#prepared.get(key);
    if (prepared === undefined) this.#prepared.set(key, (prepared = prepareQuestion(this.#host, question)));
    return prepared;
  }

  #readOnly(): GatewayFault | undefined {
    const { target } = this.#host.context.session;
    if (target.readOnly !== true) return undefined;
    return new GatewayFault('read-only', { publicMessage: `target ${target.name} is read-only` });
  }

  #decided(entry: Entry, operationId: string, outcome: Outcome): void {
    const { plan } = entry;
    if (outcome.kind === 'refused') this.#host.refuse(plan.id, outcome.fault, operationId);
    else this.#go(entry, operationId, outcome.grant);
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    for (const later of this.#entries) if (!later.isStarted) this.#startIfFree(later);
  }

  // ---- let it be

  #go({ plan, found, names }: Entry, operationId: string, grant: Grant): void {
    const { upstream } = this.#host;
    const failed = found.find(({ failure }) => failure !== undefined)?.failure;
    if (failed !== undefined) {
      this.#host.reply(grant, statusPacket(plan.id, failed.code, failed.message));
      this.#host.complete(operationId, { outcome: 'failed', errorCode: statusName(failed.code) });
    } else if (plan.packet === undefined) this.#tellNames(plan.id, operationId, grant, [found[0]!.answer!], names.includes(found[0]!.path));
    else {
      const paths = found.map(({ path }) => path);
      const toPacket = plan.packet;
      upstream.send(
        grant,
        (answer, raw) => this.#answered(plan, paths, operationId, grant, answer, raw),
        (id) => toPacket(id, paths),
      );
    }
  }

  #answered(plan: Plan, paths: readonly string[], operationId: string, grant: Grant, answer: Answer, raw: Uint8Array): void {
    if (answer.kind === 'status') {
      this.#host.reply(grant, packet(TYPE.status, plan.id, { raw }));
      const isFine = answer.code === STATUS.ok && plan.opens === undefined;
      this.#host.complete(operationId, isFine ? { outcome: 'succeeded' } : { outcome: 'failed', errorCode: statusName(answer.code) });
    } else if (plan.opens !== undefined && answer.kind === 'handle')
      this.#files.opened(plan.id, { handle: answer.handle.slice(), path: paths[0]!, mode: plan.opens, operationId, grant });
    else if (answer.kind === 'name') this.#tellNames(plan.id, operationId, grant, answer.names, false);
    else if (answer.kind === 'attributes' || answer.kind === 'extended-reply') {
      this.#host.reply(grant, packet(answer.kind === 'attributes' ? TYPE.attributes : TYPE.extendedReply, plan.id, { raw }));
      this.#host.complete(operationId, { outcome: 'succeeded', rows: 1 });
    } else {
      this.#host.reply(grant, statusPacket(plan.id, STATUS.failure, 'the target answered something else'));
      this.#host.complete(operationId, { outcome: 'failed', errorCode: 'wrong answer' });
    }
  }

  /** `isOwn`: the client wrote it itself, and is told nothing new. */
  #tellNames(id: number, operationId: string, grant: Grant, names: readonly Name[], isOwn: boolean): void {
    const { classes, detectors } = this.#host.context;
    const shown = isOwn || detectors.isEmpty ? { names, masked: {} } : maskNames(classes, detectors, names);
    this.#host.reply(grant, namePacket(id, shown.names));
    this.#host.complete(operationId, { outcome: 'succeeded', rows: names.length, masked: shown.masked });
  }
}

interface Entry {
  readonly plan: Plan;
  /** Its paths, as text alone tells them. */
  readonly names: readonly string[];
  readonly found: Found[];
  missing: number;
  type: FileType | undefined;
  isStarted: boolean;
}

/** A path as the server knows it; where it does not, what it said, and what text alone tells. */
interface Found {
  readonly path: string;
  readonly answer: Name | undefined;
  readonly failure: { readonly code: number; readonly message: string } | undefined;
}

function foundIn(answer: Answer, fallback: string, name: string | undefined): Found {
  if (answer.kind === 'status') return { path: fallback, answer: undefined, failure: answer };
  const first = answer.kind === 'name' && answer.names.length === 1 ? answer.names[0] : undefined;
  // Names of the server need not be UTF-8; what they stand for can then not be put to policy.
  const folder = first === undefined ? undefined : textOf(first.name);
  if (first === undefined || folder?.startsWith('/') !== true || canonicalPath(folder, '/') !== folder)
    return { path: fallback, answer: undefined, failure: { code: STATUS.failure, message: 'the target gives no canonical path for it' } };
  const kept: Name = { name: first.name.slice(), longName: first.longName.slice(), attributes: first.attributes.slice() };
  return { path: name === undefined ? folder : joinedPath(folder, name), answer: kept, failure: undefined };
}

function inTheWay(earlier: Entry, later: Entry): boolean {
  if (!earlier.plan.changes && !later.plan.changes) return false;
  return earlier.names.some((one) => later.names.some((other) => areRelated(one, other)));
}

/** By the file type bits of POSIX (S_IFMT). */
function typeOf(permissions: number | undefined): FileType | undefined {
  if (permissions === undefined) return undefined;
  switch (permissions & 0o170000) {
    case 0o100000:
      return 'regular';
    case 0o040000:
      return 'folder';
    case 0o120000:
      return 'link';
    case 0o020000:
    case 0o060000:
      return 'device';
    default:
      return 'other';
  }
}

const preparedQuestions = 256;
