import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiClient } from '../../src/cli/client.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { sshHostKey } from '../../src/identity/ssh-host-key.ts';
import { newSshKeyPair } from '../../src/identity/ssh-key-format.ts';
import { atNewSite, type Site } from '../parts/site.ts';
import { startSshd, type Account, type Sshd, type SshdOptions } from '../parts/sshd.ts';
import { openPolicy, startTestGateway, trustedAuthority, type TestConfig, type TestGateway } from '../parts/test-gateway.ts';
import { openDoor, type Door } from './door.ts';

/** OpenSSH's server with a gateway in front. Everything is real; everything is stopped and removed by `close`. */
export interface SshWorld extends TestGateway {
  readonly sshd: Sshd;
  /** Where the gateway takes SSH clients, and the line by which they know it. */
  readonly port: number;
  readonly hostKey: string;
  /** At the machine itself, as the gateway signs on there. */
  readonly direct: Door;
  /** Through the gateway, with a fresh key of this client or person (default: the pipeline) for this target (default: `box`), whatever it is asked for. */
  behind(options?: {
    readonly as?: string;
    readonly target?: string;
    readonly user?: string;
    readonly config?: readonly string[];
  }): Promise<Door>;
  /** A gateway token for the target, which fits a password. */
  gatewayToken(as: string): Promise<string>;
  /** Answers the next request for approval, which it waits for. */
  answer(as: string, verb: 'approve' | 'deny', reason: string): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

export interface SshWorldOptions {
  readonly policies?: string;
  readonly adjust?: (config: TestConfig, sshd: Sshd) => void;
  /** As whom the gateway signs on to the machine. */
  readonly account?: Account | undefined;
  readonly sshd?: SshdOptions;
}

export function startSshWorld(options: SshWorldOptions = {}): Promise<SshWorld> {
  return atNewSite('ssh', (site) => start(site, options));
}

async function start(site: Site, options: SshWorldOptions): Promise<SshWorld> {
  const { folder } = site;
  const sshd = await startSshd({ ...options.sshd, ...(options.account === undefined ? {} : { account: options.account }) });
  site.closers.push(() => sshd.stop());
  const authority = await trustedAuthority(site);
  const port = await freePort();
  const test = await startTestGateway(site, {
    name: 'gw-ssh',
    host: '127.0.0.1',
    authority,
    files: { 'target.key': sshd.privateKey },
    policies: options.policies ?? openPolicy,
    config: { listeners: { ssh: `127.0.0.1:${port}` }, targets: { box: boxAt(sshd) } },
    adjust: (config) => options.adjust?.(config, sshd),
  });
  const { apiUrl, api, token } = test;
  const hostKey = sshHostKey(join(folder, 'data')).publicKey;
  const exchange = async (as: string, asked: Readonly<Record<string, string>>): Promise<string> => {
    const response = await new ApiClient(apiUrl).postForm('/oauth/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await token(as),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'box',
      ...asked,
    });
    const body = (await response.json()) as { access_token?: string };
    if (body.access_token === undefined) throw new Error(`nothing was issued: ${JSON.stringify(body)}`);
    return body.access_token;
  };
  return {
    ...test,
    sshd,
    port,
    hostKey,
    direct: openDoor({
      name: 'direct',
      folder,
      host: sshd.host,
      port: sshd.port,
      user: sshd.user,
      privateKey: sshd.privateKey,
      hostKey: sshd.hostKey,
    }),
    async behind({ as = 'pipeline', target = 'box', user = target, config: lines = [] } = {}) {
      const pair = newSshKeyPair('conformance');
      await exchange(as, { requested_token_type: 'urn:sallyport:token-type:ssh-key', ssh_public_key: pair.publicKey, audience: target });
      return openDoor({ name: 'behind', folder, host: '127.0.0.1', port, user, privateKey: pair.privateKey, hostKey, config: lines });
    },
    gatewayToken: (as) => exchange(as, {}),
    async answer(as, verb, reason) {
      const client = await api(as);
      for (;;) {
        const { approvals } = await client.get<{ approvals: Readonly<Record<string, unknown>>[] }>('/api/v1/approvals', {
          state: 'pending',
        });
        const [first] = approvals;
        if (first !== undefined) {
          await client.post(`/api/v1/approvals/${String(first['id'])}/${verb}`, { reason });
          return first;
        }
        await pause(50);
      }
    },
    close: () => site.close(),
  };
}

function boxAt(sshd: Sshd): Readonly<Record<string, unknown>> {
  return {
    protocol: 'ssh',
    upstream: { host: sshd.host, port: sshd.port, user: sshd.user, host_key: sshd.fingerprint, key: 'file:target.key' },
    labels: { env: 'production' },
    environment: ['LANG', 'LC_*', 'SALLYPORT_*'],
    home: sshd.home,
  };
}
