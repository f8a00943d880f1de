import type { Crypto } from '../../core/crypto.ts';
import type { Principal } from '../../core/principal.ts';
import type { Target } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { Analysis } from '../../sql/statement.ts';
import type { Definition, Definitions } from './definitions.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import type { Unsettled } from './unsettled.ts';

/** What PostgreSQL sessions take from the gateway that runs them. One environment serves every session of a listener. */
export interface PostgresEnvironment {
  readonly crypto: Crypto;
  /** The target that the listener fixes; undefined: the client names it as its database. */
  readonly listenerTarget: string | undefined;
  /** How clients of this listener present their token. */
  readonly clientAuth: 'password' | 'oauthbearer';
  /** False only where the gateway has no certificate. */
  readonly canEncrypt: boolean;
  /** Accept clients that do not encrypt. */
  readonly unsafePlaintext: boolean;
  /** Where OAUTHBEARER clients find the issuer (RFC 7628, `openid-configuration`). */
  readonly openidConfiguration: string | undefined;
  analyse(sql: string): Analysis;
  target(name: string): PostgresTarget;
  /** Data classes that the principal may see on this target, under the policy in force now. */
  reveals(principal: Principal, target: Target): ReadonlySet<string>;
  /** Changes whenever `reveals` or a decision may answer differently. */
  policyVersion(): string;
}

export interface PostgresTarget {
  readonly name: string;
  readonly user: string;
  readonly password: string | undefined;
  /** The database that the target's name alone means. */
  readonly database: string;
  readonly tls: boolean;
  readonly classes: DataClasses;
  /** The newest snapshot of a database of this target. Throws `upstream-unavailable` where there is none yet. */
  catalogue(database: string): SchemaCatalogue;
  /**
   * Something of the catalogue was changed through a session: it is not believed until it was read again. Resolves then, or when that
   * takes too long; never rejects.
   */
  catalogueStale(database: string, what: Unsettled): Promise<void>;
  /** Resolves when a catalogue that is not believed was read again, or when that takes too long; never rejects. */
  catalogueSettled(database: string): Promise<void>;
  /**
   * A snapshot of which no part was read before now. Undefined where that takes too long or cannot be done; never rejects.
   */
  catalogueAfterwards(database: string): Promise<SchemaCatalogue | undefined>;
  /** Resolves when nothing is being defined there, or after a moment; never rejects. */
  definitionsOver(database: string): Promise<void>;
  /** What is being defined in a database of this target, which other targets may reach too. */
  definitions(database: string): Definitions;
  /** Whoever was defining is gone, and what was sent may take effect later. */
  definitionAbandoned(database: string, definition: Definition): void;
  /** A name was not found in it: it may be newer. */
  catalogueMissed(database: string): void;
}
