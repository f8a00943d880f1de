import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AuditLog } from '../../audit/index.ts';
import type { Secret, SshTargetConfig } from '../../config/index.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { unknownTarget } from '../../core/pipeline-faults.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Identity } from '../../identity/index.ts';
import { sshHostKey } from '../../identity/ssh-host-key.ts';
import { runningSha256 } from '../../net/crypto.ts';
import { listen, type Listener } from '../../net/listener.ts';
import type { SessionRegistry } from '../../net/sessions.ts';
import { SshConnections } from '../../net/ssh/listener.ts';
import type { SessionRules } from '../../net/ssh/session-channels.ts';
import { checkCertificate } from '../../net/ssh/certificate.ts';
import { parseCertificate, parseSigningKey, type SshAddress, type SshCredential } from '../../net/ssh/upstream.ts';
import { remoteUserActs } from '../../protocols/ssh/acts.ts';
import type { SshContext } from '../../protocols/ssh/context.ts';
import { forwardOperation, forwardRule, isTaken } from '../../protocols/ssh/forward.ts';
import { sessionChannel } from '../../protocols/ssh/index.ts';
import { exactCommands, type ExactCommands } from '../../shell/index.ts';
import { maxConnections, type Door } from './doors.ts';
import type { InForce } from './in-force.ts';
import type { OperatorLog } from './log.ts';

export interface SshPathParts {
  readonly inForce: InForce;
  readonly pipeline: Pipeline;
  readonly identity: Identity;
  readonly audit: AuditLog;
  readonly sessions: SessionRegistry;
  readonly log: OperatorLog;
  /** Opens a connection to another target, as the client at `peer` would. */
  readonly join: (target: string, peer: string) => Duplex;
}

/** Everything between an SSH client and its target. */
export class SshPath {
  readonly #parts: SshPathParts;
  /** By door. */
  readonly #connections = new Map<string, SshConnections>();
  /** Of each target, as it is configured. */
  readonly #exact = new WeakMap<SshTargetConfig, ExactCommands>();
  readonly #keys = new WeakMap<SshTargetConfig, Extract<SshCredential, { readonly kind: 'key' }>>();

  constructor(parts: SshPathParts) {
    this.#parts = parts;
  }

  /** Rejects where its port cannot be bound. */
  listen(door: Door): Promise<Listener> {
    return listen({ ...door.address, maxConnections, connections: this.#of(door) });
  }

  /** Takes a connection that was accepted elsewhere; resolves when it is over. */
  accept(door: Door, client: Socket): Promise<void> {
    return this.#of(door).accept(client);
  }

  /** Ends everything that came in by `accept`. */
  async close(reason: string): Promise<void> {
    await Promise.all([...this.#connections.values()].map((connections) => connections.close(reason)));
  }

  #of({ name, target }: Door): SshConnections {
    const known = this.#connections.get(name);
    if (known !== undefined) return known;
    const { inForce, pipeline, identity, audit, sessions, log, join } = this.#parts;
    const { gateway } = inForce.config;
    const connections = new SshConnections({
      hostKey: sshHostKey(gateway.data).privateKey,
      banner: `${gateway.name}: Sallyport. What you do here is decided and recorded.`,
      listenerTarget: target?.name,
      pipeline,
      audit,
      keys: identity,
      sessions,
      signInActs: (targetName, remoteUser) => this.#signInActs(targetName, remoteUser),
      rulesOf: (session, remoteUser) => this.#rules(session, remoteUser),
      join,
      report: (what, fault, session) => log.problem(what, fault, { session }),
    });
    this.#connections.set(name, connections);
    return connections;
  }

  /** Of a target that is none nothing is asked: it is refused as unknown. */
  #signInActs(targetName: string, remoteUser: string | undefined) {
    const target = this.#parts.inForce.targets.ssh(targetName);
    if (target === undefined || remoteUser === undefined) return [];
    return remoteUserActs(targetName, remoteUser, remoteUser === target.upstream.user);
  }

  /** A session keeps the target that it began with: where that is changed, it ends. */
  #rules(session: PipelineSession, asked: string | undefined): SessionRules {
    const { inForce } = this.#parts;
    const { principal, target } = session;
    const config = this.#target(target.name);
    const { upstream, environment, moderated, home, opaqueTransfers } = config;
    const { classes } = inForce.targets;
    const remoteUser = asked ?? upstream.user;
    const context = (): SshContext => ({
      session,
      remoteUser,
      isOwnUser: remoteUser === upstream.user,
      classes,
      detectors: classes.detectors.without(inForce.policy.reveals(principal, target, classes.names)),
      recordDetectors: classes.detectors,
      settings: { exactCommands: this.#exactCommands(config), environment, moderated, home, opaqueTransfers },
      sha256: runningSha256,
    });
    const forwards = config.forwards.map(({ host, port, target: through }) => forwardRule(host, port, through));
    return {
      newChannel: () => sessionChannel(context()),
      newForward: (request) => forwardOperation(context(), request, forwards),
      isTaken: (port) => isTaken(port, forwards),
      address: () => this.#address(this.#renewed(config), asked),
      moderators: moderated?.group,
    };
  }

  #exactCommands(config: SshTargetConfig): ExactCommands {
    let made = this.#exact.get(config);
    if (made === undefined) this.#exact.set(config, (made = exactCommands(config.exactCommands)));
    return made;
  }

  /** The same target as it is configured now: its secrets may have been renewed since a session began. One that was changed ends its sessions, which keep the old one until then. */
  #renewed(config: SshTargetConfig): SshTargetConfig {
    const now = this.#parts.inForce.targets.ssh(config.name);
    return now !== undefined && JSON.stringify(now.upstream) === JSON.stringify(config.upstream) ? now : config;
  }

  /** The gateway's key may be let in as several users of a target; its password is one user's. */
  #address(config: SshTargetConfig, remoteUser: string | undefined): SshAddress {
    const { host, port, hostKeys, key, password, mapsPrincipals, user: own } = config.upstream;
    const user = remoteUser ?? own;
    if (key !== undefined) {
      const credential = this.#key(config, key);
      const { certificate } = credential;
      if (certificate !== undefined) checkCertificate({ certificate, user, mapsPrincipals, nowMs: Date.now() });
      return { host, port, user, hostKeys, credential };
    }
    if (password !== undefined && user === own)
      return { host, port, user, hostKeys, credential: { kind: 'password', password: password.text() } };
    throw new GatewayFault('upstream-refused', {
      publicMessage: `the gateway cannot sign on as ${user}: it has a password of another user`,
      hint: 'Leave the remote user out, or ask the platform team for a key at this target.',
    });
  }

  #key(config: SshTargetConfig, key: Secret): Extract<SshCredential, { readonly kind: 'key' }> {
    const known = this.#keys.get(config);
    if (known !== undefined) return known;
    const { passphrase, certificate } = config.upstream;
    const made = {
      kind: 'key',
      key: parseSigningKey(key.text(), passphrase?.text()),
      certificate: certificate === undefined ? undefined : parseCertificate(certificate.text()),
    } as const;
    this.#keys.set(config, made);
    return made;
  }

  #target(name: string): SshTargetConfig {
    const target = this.#parts.inForce.targets.ssh(name);
    if (target === undefined) throw unknownTarget(name);
    return target;
  }
}
