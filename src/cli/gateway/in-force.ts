import { createSecureContext, type SecureContext } from 'node:tls';
import type { Config } from '../../config/index.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { compilePolicies, createPolicyEngine, type PolicyEngine, type PolicySet } from '../../policy/index.ts';
import { createAnalyser } from '../../sql/postgres/index.ts';
import type { Analysis } from '../../sql/statement.ts';
import { DefinitionBook } from './definition-book.ts';
import { Targets } from './targets.ts';

/** A configuration that was checked and is ready to come into force. */
export interface Change {
  readonly next: Config;
  readonly previous: Config;
  /** Undefined where policy stays as it is. */
  readonly policy: { readonly version: string; readonly previous: string } | undefined;
  readonly policies: number;
  /** Puts it in force, all at once. */
  readonly apply: () => void;
}

/** The configuration in force and what is derived from it: policy, targets, certificate. */
export class InForce {
  readonly policy: PolicyEngine;
  readonly #analyser = createAnalyser({ maxShapes: 10_000 });
  readonly #maskingKey: Uint8Array;
  readonly definitions: DefinitionBook;
  /** For operators. */
  readonly report: (what: string, error: unknown) => void;
  #config: Config;
  #targets: Targets;
  #tls: SecureContext | undefined;

  /** Throws a `PolicyLoadError`, or what a certificate that is none makes of it. */
  constructor(
    config: Config,
    maskingKey: Uint8Array,
    report: (what: string, error: unknown) => void,
    definitions: DefinitionBook = new DefinitionBook(),
  ) {
    this.definitions = definitions;
    this.#maskingKey = maskingKey;
    this.report = report;
    this.#config = config;
    this.#targets = this.#newTargets(config);
    this.policy = createPolicyEngine(policySet(config), { now: Date.now });
    this.#tls = secureContext(config);
  }

  get config(): Config {
    return this.#config;
  }

  get targets(): Targets {
    return this.#targets;
  }

  get tls(): SecureContext | undefined {
    return this.#tls;
  }

  analyse(sql: string): Analysis {
    return this.#analyser.analyse(sql);
  }

  /** Checks and derives everything, and changes nothing yet. Throws as the constructor does. */
  prepare(next: Config): Change {
    const policies = policySet(next);
    const targets = this.#newTargets(next);
    const tls = secureContext(next);
    const previous = this.policy.version;
    return {
      next,
      previous: this.#config,
      policy: policies.version === previous ? undefined : { version: policies.version, previous },
      policies: policies.policies.length,
      apply: () => {
        this.#config = next;
        this.#targets = targets;
        this.#tls = tls;
        if (policies.version !== previous) this.policy.replace(policies);
      },
    };
  }

  #newTargets(config: Config): Targets {
    const analyse = (sql: string): Analysis => this.analyse(sql);
    return new Targets(config, { maskingKey: this.#maskingKey, analyse, report: this.report, definitions: this.definitions });
  }
}

function policySet(config: Config): PolicySet {
  const dataClasses = config.dataClasses.map((dataClass) => dataClass.name);
  return compilePolicies({ files: config.policies.files, crypto: nodeCrypto, targets: config.targets, dataClasses });
}

function secureContext(config: Config): SecureContext | undefined {
  const { tls } = config.gateway;
  if (tls === undefined) return undefined;
  return createSecureContext({ cert: tls.certificate.text(), key: tls.key.text(), minVersion: 'TLSv1.2' });
}
