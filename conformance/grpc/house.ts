import { freePort } from '../../src/cli/demo/free-port.ts';
import { atNewSite, type Site } from '../parts/site.ts';
import { startTestGateway, trustedAuthority, type TestGateway } from '../parts/test-gateway.ts';
import type { Way } from './peers/cases.ts';

/** A gateway in front of gRPC servers, for one test file. Everything is real; `close` stops and removes it. */
export interface House extends TestGateway {
  /** PEM of the authority that signed every certificate here. */
  readonly authority: string;
  readonly httpsPort: number;
  /** Of servers on this machine. */
  readonly certificate: { readonly cert: string; readonly key: string };
  /** To a target through the gateway. */
  way(target: string, as: string): Promise<Way>;
  close(): Promise<void>;
}

export interface HouseOptions {
  /** Targets by name, made once there is a certificate for the servers behind them; what is left out is filled in. */
  targets(certificate: House['certificate'], folder: string): Promise<Readonly<Record<string, TargetOptions>>>;
  readonly policies?: string;
  readonly dataClasses?: Readonly<Record<string, unknown>>;
}

export interface TargetOptions {
  readonly port: number;
  readonly plain?: boolean;
  readonly settings?: Readonly<Record<string, unknown>>;
}

export function startHouse(options: HouseOptions): Promise<House> {
  return atNewSite('grpc', (site) => start(site, options));
}

async function start(site: Site, options: HouseOptions): Promise<House> {
  const authority = await trustedAuthority(site);
  const own = await authority.issue(['localhost', '127.0.0.1']);
  const certificate = { cert: own.certificate, key: own.key };
  const targets = await options.targets(certificate, site.folder);
  const httpsPort = await freePort();
  const test = await startTestGateway(site, {
    name: 'gw-grpc',
    authority,
    otherHosts: Object.keys(targets).map((name) => `${name}.localhost`),
    files: { 'target.token': targetToken },
    policies: options.policies ?? policies,
    config: {
      listeners: { https: `127.0.0.1:${httpsPort}` },
      targets: Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, targetConfig(target)])),
      data_classes: options.dataClasses ?? {},
    },
  });
  return {
    ...test,
    authority: authority.certificate,
    httpsPort,
    certificate,
    async way(target, as) {
      const address = `localhost:${httpsPort}`;
      return { address, authority: `${target}.localhost`, ca: authority.certificate, token: await test.token(as) };
    },
    close: () => site.close(),
  };
}

function targetConfig({ port, plain = false, settings = {} }: TargetOptions): Readonly<Record<string, unknown>> {
  return {
    protocol: 'grpc',
    upstream: {
      url: `${plain ? 'http' : 'https'}://localhost:${port}`,
      ...(plain ? { tls: 'unsafe_disable' } : { ca: 'file:ca.crt' }),
      credential: { bearer: 'file:target.token' },
    },
    labels: { env: 'production' },
    ...settings,
  };
}

export const targetToken = 'target-bdfghjklmn';
const policies = `@id("everything") permit (principal in Group::"deployers", action, resource);`;
