import { isReview, isStrings, type LogRecord } from './record.ts';
import type { UseElsewhere } from './ties.ts';

/** Tells what is wrong with the record at hand. */
export type Complain = (kind: 'bookkeeping' | 'approval', detail: string) => void;

/** Who asked, as far as the log says. */
export interface Requester {
  /** `<issuer>|<subject>`. */
  readonly principal: string;
  /** Of the session in which it was asked; undefined where that is not on record. */
  readonly issuerUrl: string | undefined;
}

/**
 * Follows every request for approval: an operation may run on one only after enough different people, none of them the requester and
 * all of them in the group that is asked, have approved it; and only once.
 */
export class ApprovalBook {
  readonly #requests = new Map<string, Request>();
  /** Ended, oldest first. Ids that fell out of it are unknown again, which is a complaint too. */
  readonly #ended = new Set<string>();

  requested(record: LogRecord, issuerUrl: string | undefined, complain: Complain): void {
    const id = String(record['approval']);
    if (this.#requests.has(id) || this.#ended.has(id)) return complain('approval', `approval ${id} is requested a second time`);
    const reviews = record['reviews'];
    this.#requests.set(id, {
      requester: { principal: String(record['principal']), issuerUrl },
      target: String(record['target']),
      operation: String(record['operation']),
      reviews: Array.isArray(reviews) ? reviews.filter(isReview) : [],
      answers: [],
      state: 'open',
    });
  }

  answered(record: LogRecord, complain: Complain): void {
    const id = String(record['approval']);
    const request = this.#requests.get(id);
    if (request === undefined) return complain('approval', `an answer to approval ${id}, ${this.#nowhere(id)}`);
    if (request.operation !== record['operation']) complain('approval', `an answer to approval ${id} for another operation`);
    const person: Person = {
      issuer: String(record['issuer']),
      issuerUrl: String(record['issuer_url']),
      subject: String(record['subject']),
      groups: isStrings(record['groups']) ? record['groups'] : [],
    };
    if (record['answer'] === 'denied') {
      request.state = 'denied';
      return;
    }
    if (isRequester(person, request.requester)) complain('approval', `approval ${id} is given by the one who asked for it`);
    else if (record['kind'] !== 'user') complain('approval', `approval ${id} is given by ${String(record['kind'])}, not by a person`);
    else request.answers.push(person);
  }

  ended(record: LogRecord, complain: Complain): void {
    const id = String(record['approval']);
    const state = String(record['state']);
    const request = this.#requests.get(id);
    if (request === undefined) {
      // A request whose own record was refused may still have its end recorded: nobody could answer or use it.
      if (state !== 'cancelled' && state !== 'expired') complain('approval', `approval ${id} is ${state}, ${this.#nowhere(id)}`);
      return;
    }
    if (state === 'approved' || state === 'used') {
      if (request.state === 'denied') complain('approval', `approval ${id} is ${state} though it was denied`);
      else if (request.state === 'used') complain('approval', `approval ${id} is ${state} though it was used already`);
      const lacking = missingReview(request);
      if (lacking !== undefined) complain('approval', `approval ${id} is ${state}, but ${lacking}`);
    }
    if (state === 'approved') request.state = 'approved';
    else if (state === 'used') request.state = 'used';
    else this.#forget(id);
  }

  knows(id: string): boolean {
    return this.#requests.has(id) || this.#ended.has(id);
  }

  /** An operation was allowed on this approval, in another log: there its session says who asked. */
  usedElsewhere({ approval, decided, issuerUrl }: UseElsewhere, complain: Complain): void {
    const request = this.#requests.get(approval);
    const requester = request && { ...request.requester, issuerUrl };
    if (requester !== undefined && request?.answers.some((person) => isRequester(person, requester)) === true) {
      complain('approval', `approval ${approval} is given by the one who asked for it`);
    }
    this.usedFor(approval, decided, complain);
  }

  /** An operation was allowed on this approval. */
  usedFor(id: string, decided: LogRecord, complain: Complain): void {
    const request = this.#requests.get(id);
    if (request === undefined) return complain('approval', `runs on approval ${id}, ${this.#nowhere(id)}`);
    if (request.state !== 'used') complain('approval', `runs on approval ${id}, which is ${request.state} and not used up on record`);
    const lacking = missingReview(request);
    if (lacking !== undefined) complain('approval', `runs on approval ${id}, but ${lacking}`);
    if (request.requester.principal !== String(decided['principal'])) complain('approval', `runs on approval ${id} of another principal`);
    if (request.target !== String(decided['target'])) complain('approval', `runs on approval ${id} for another target`);
    this.#forget(id);
  }

  #forget(id: string): void {
    this.#requests.delete(id);
    this.#ended.add(id);
    if (this.#ended.size > REMEMBERED) this.#ended.delete(this.#ended.values().next().value!);
  }

  #nowhere(id: string): string {
    return this.#ended.has(id) ? 'which had ended or was used before' : 'which nobody has requested';
  }
}

interface Request {
  readonly requester: Requester;
  readonly target: string;
  readonly operation: string;
  readonly reviews: readonly { policy: string; group: string; approvals: number }[];
  readonly answers: Person[];
  state: 'open' | 'approved' | 'denied' | 'used';
}

interface Person {
  readonly issuer: string;
  readonly issuerUrl: string;
  readonly subject: string;
  readonly groups: readonly string[];
}

/** The first review that was not answered by as many different people as it asks for. */
function missingReview({ reviews, answers }: Request): string | undefined {
  for (const { policy, group, approvals } of reviews) {
    const people: Person[] = [];
    for (const answer of answers) {
      if (answer.groups.includes(group) && !people.some((person) => isSame(person, answer))) people.push(answer);
    }
    const wanted = Math.max(1, approvals);
    if (people.length < wanted) return `“${policy}” asks for ${wanted} of group ${group}, and ${people.length} approved`;
  }
  return undefined;
}

function isSame(a: Person, b: Person): boolean {
  return a.subject === b.subject && (a.issuer === b.issuer || a.issuerUrl === b.issuerUrl);
}

function isRequester(person: Person, { principal, issuerUrl }: Requester): boolean {
  if (principal === `${person.issuer}|${person.subject}`) return true;
  return issuerUrl === person.issuerUrl && principal.endsWith(`|${person.subject}`);
}

const REMEMBERED = 100_000;
