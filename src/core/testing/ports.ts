import type { Decision } from '../decision.ts';
import { GatewayFault } from '../fault.ts';
import type { Completion, Operation, ResultSample, TranscriptPart } from '../operation.ts';
import type { PipelinePorts } from '../ports.ts';
import type { ApprovalAnswer, HeldOperation, PendingApproval, PolicyQuestion } from '../ports.ts';
import type { Principal } from '../principal.ts';
import type { AuditRecord } from '../record.ts';
import type { Target } from '../target.ts';

const principal: Principal = {
  issuer: 'ci',
  issuerUrl: 'https://ci.test',
  subject: 'job',
  kind: 'agent',
  groups: ['deployers'],
  groupsKnown: true,
  claims: {},
  display: 'the job',
  tokenId: 't1',
  expiresAtMs: 30_000,
  authenticatedBy: 'oidc-token',
};

/** The house in memory: every port of the pipeline, each with a switch for what can go wrong. */
export class TestPorts implements PipelinePorts {
  readonly audit = new TestAudit();
  readonly desk = new TestDesk(this.audit);
  readonly recording = new TestRecording();
  decision: Decision | GatewayFault = { kind: 'allow', policies: ['p'] };
  connect: Decision = { kind: 'allow', policies: ['connect'] };
  policyVersion = 'v1';
  target: Target = { name: 'orders', protocol: 'postgres', labels: {}, masking: 'taint', hold: 'wait' };
  now = 1_000;
  identityEndsAtMs = principal.expiresAtMs;
  maxMs = 60_000;
  readonly questions: PolicyQuestion[] = [];

  readonly identity = {
    authenticate: (credential: string): Promise<Principal> => {
      if (credential === 'good') return Promise.resolve({ ...principal, expiresAtMs: this.identityEndsAtMs });
      return Promise.reject(
        new GatewayFault('authentication-failed', { publicMessage: 'the token was not accepted', detail: 'bad signature' }),
      );
    },
  };
  readonly policy = policyOf(this);
  readonly approvals = { request: (held: HeldOperation): PendingApproval => this.desk.request(held) };
  readonly recordings = {
    open: () => {
      if (this.recording.broken) throw recordingDown();
      return this.recording;
    },
  };
  readonly clock = { now: () => this.now, monotonic: () => this.now };
  readonly newSessionId = (): string => 's1';
  readonly maxSessionMs = (): number => this.maxMs;
  readonly findTarget = (name: string): Target | undefined => (name === this.target.name ? this.target : undefined);
}

/** A log whose records become durable when the test says so. */
export class TestAudit {
  readonly records: AuditRecord[] = [];
  durableCount = 0;
  /** Append throws. */
  down = false;
  /** Records become durable as they are appended. */
  immediate = true;
  readonly #waiting: { readonly sequence: number; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];

  append(record: AuditRecord): number {
    if (this.down) throw auditDown();
    this.records.push(record);
    if (this.immediate) this.makeDurable();
    return this.records.length - 1;
  }

  durable(sequence: number): Promise<void> {
    if (this.durableCount > sequence) return Promise.resolve();
    if (this.down) return Promise.reject(auditDown());
    const { promise, resolve, reject } = withResolvers();
    this.#waiting.push({ sequence, resolve, reject });
    return promise;
  }

  makeDurable(count = this.records.length): void {
    this.durableCount = Math.max(this.durableCount, count);
    for (const each of this.#waiting.splice(0)) {
      if (this.durableCount > each.sequence) each.resolve();
      else this.#waiting.push(each);
    }
  }

  fail(): void {
    this.down = true;
    for (const each of this.#waiting.splice(0)) each.reject(auditDown());
  }

  digest(): string {
    return 'digest';
  }

  types(): string[] {
    return this.records.map(({ type }) => type);
  }
}

export class TestDesk {
  readonly requests: TestApproval[] = [];
  alreadyApproved = false;
  /** What is known of the answer when it is asked for (`refuse-and-retry`). */
  known: ApprovalAnswer | undefined;
  readonly #audit: TestAudit;

  constructor(audit: TestAudit) {
    this.#audit = audit;
  }

  request(held: HeldOperation): TestApproval {
    if (this.#audit.down) throw auditDown();
    const approval = new TestApproval(held, this.alreadyApproved);
    if (this.known !== undefined) approval.reply(this.known);
    this.requests.push(approval);
    return approval;
  }
}

export class TestApproval implements PendingApproval {
  readonly id = 'a1';
  readonly held: HeldOperation;
  readonly alreadyApproved: boolean;
  readonly expiresAtMs = 5_000;
  readonly message = 'waiting for approval by dba';
  readonly answer: Promise<ApprovalAnswer>;
  reply: (answer: ApprovalAnswer) => void = () => undefined;
  uses = 0;
  usable: boolean | GatewayFault = true;
  /** Runs while the use is made durable. */
  whileUsing: () => void = () => undefined;

  constructor(held: HeldOperation, alreadyApproved: boolean) {
    this.held = held;
    this.alreadyApproved = alreadyApproved;
    this.answer = new Promise((resolve) => {
      this.reply = resolve;
    });
  }

  async use(): Promise<boolean> {
    this.uses += 1;
    await Promise.resolve();
    this.whileUsing();
    if (this.usable instanceof GatewayFault) throw this.usable;
    return this.usable;
  }

  cancel(reason: string): void {
    this.reply({ kind: 'cancelled', reason });
  }
}

export class TestRecording {
  readonly events: string[] = [];
  readonly samples: ResultSample[] = [];
  broken = false;

  decided(operation: Operation, decision: string): void {
    this.#write(`decided ${operation.id} ${decision}`);
  }

  sample(sample: ResultSample): void {
    this.#write('sample');
    this.samples.push(sample);
  }

  completed(completion: Completion): void {
    this.#write(`completed ${completion.operationId} ${completion.outcome}`);
  }

  transcript(operationId: string, { stream, text }: TranscriptPart): undefined {
    this.#write(`transcript ${operationId} ${stream} ${text}`);
  }

  note(event: string): void {
    this.#write(`note ${event}`);
  }

  /** Throws at once where it is broken: a port is free to do so. */
  seal(): Promise<{ file: string; sha256: string; bytes: number }> {
    this.#write('sealed');
    return Promise.resolve({ file: 's1.jsonl', sha256: 'abc', bytes: 1 });
  }

  #write(event: string): void {
    if (this.broken) throw recordingDown();
    this.events.push(event);
  }
}

export function auditDown(): GatewayFault {
  return new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be written' });
}

function recordingDown(): GatewayFault {
  return new GatewayFault('recording-unavailable', { publicMessage: 'the recording cannot be written' });
}

function policyOf(ports: TestPorts) {
  return {
    get version(): string {
      return ports.policyVersion;
    },
    decide(question: PolicyQuestion): Decision {
      ports.questions.push(question);
      if (question.acts.every(({ action }) => action === 'connect')) return ports.connect;
      if (ports.decision instanceof GatewayFault) throw ports.decision;
      return ports.decision;
    },
    reveals: () => new Set<string>(),
  };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((one, other) => {
    resolve = one;
    reject = other;
  });
  return { promise, resolve, reject };
}
