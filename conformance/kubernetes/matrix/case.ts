import type { Ran } from '../../harness.ts';
import type { KubectlVersion } from '../../parts/kubectl.ts';
import type { Kubectl } from '../clients.ts';

/** One thing that people do with kubectl. It is done directly and through the gateway, and what it shows has to be the same. */
export interface MatrixCase {
  readonly name: string;
  /** With which versions it is also done in `npm test`. */
  readonly quick?: readonly KubectlVersion[];
  /** Needs processes behind pods: left out where the cluster has no nodes. */
  readonly needsNode?: true;
  /** Why it is done with one version alone. */
  readonly only?: { readonly version: KubectlVersion; readonly because: string };
  /** Parts that end with another status than 0 without the gateway too, as they have to. */
  readonly failing?: readonly string[];
  /** Leaves nothing outside its namespace. */
  run(at: Workplace): Promise<Shown>;
}

/** What was shown, part by part, under names: each part is compared on its own. */
export type Shown = Readonly<Record<string, string>>;

export interface Workplace {
  readonly kubectl: Kubectl;
  /** Made for this case; of the same length everywhere, because tables are as wide as their cells. */
  readonly namespace: string;
  /** A folder of its own. */
  readonly folder: string;
  /** The name of the cluster's node, where it has one. */
  readonly node: string;
  /** A port at which an HTTP server answers with `httpAnswer`, and one of a PostgreSQL server, where there is one. */
  readonly httpPort: number;
  readonly postgres: { readonly port: number; readonly user: string; readonly password: string } | undefined;
  /** In front of every path of the server. `get --raw` and kubectl's own proxy take whole paths. */
  readonly basePath: string;
  /** What kubectl shows and how it ends, without what differs from run to run. */
  shown(...parameters: readonly string[]): Promise<string>;
  /** As it is. */
  raw(parameters: readonly string[], input?: string): Promise<Ran>;
  /** Writes a file into the folder, and says where. */
  file(name: string, content: string | Buffer): string;
  /** Takes out of a text what differs from run to run. */
  clean(text: string): string;
}

export const httpAnswer = 'from behind the port\n';

/** Exit status and both outputs, cleaned. */
export function asText({ status, stdout, stderr }: Ran): string {
  return `status ${status}\n${stdout}${stderr === '' ? '' : `--- stderr\n${stderr}`}`;
}

export function cleaner(at: {
  readonly namespace: string;
  readonly folder: string;
  readonly servers: readonly string[];
}): (text: string) => string {
  return (text) => {
    let clean = text.replaceAll(at.namespace, 'NAMESPACE').replaceAll(at.folder, 'FOLDER');
    for (const server of at.servers) clean = clean.replaceAll(server, 'SERVER').replaceAll(server.replace('https://', ''), 'SERVER');
    return (
      clean
        .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000( UTC)?)?/g, 'TIME')
        .replace(/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000/g, 'TIME')
        .replace(/^[EIW]\d{4} [\d:.]+ +\d+ \w+\.go:\d+\]/gm, 'LOG')
        .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
        .replace(/containerd:\/\/[0-9a-f]{64}/g, 'CONTAINER')
        .replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'TOKEN')
        .replace(/(resourceVersion"?: ?"?)\d+/g, '$1N')
        .replace(/\b10\.1\.0\.\d+/g, 'ADDRESS')
        .replace(/-([0-9a-f]{9,10})-[a-z0-9]{5}\b/g, '-$1-SUFFIX')
        .replace(/(start exec ..?)[0-9a-f]{64}/g, '$1EXEC')
        .replace(/-token-[a-z0-9]{5}\b/g, '-token-NAME')
        .replace(/\bdebugger-[a-z0-9]{5}\b/g, 'debugger-NAME')
        .replace(/\.[0-9a-f]{8}\d\b/g, '.EVENT')
        .replace(/(LIVE|MERGED)-\d+/g, '$1-N')
        .replace(/(127\.0\.0\.1|\[::1\]|localhost|port) ?:?\d{4,5}\b/g, '$1:PORT')
        .replace(/\b(\d+m)?\d+s\b/g, 'AGE')
        // Tables are as wide as their widest cell, and ages differ.
        .replace(/ {2,}/g, '  ')
        .replace(/ +$/gm, '')
    );
  };
}
