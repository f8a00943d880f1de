import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import { eventually } from '../../harness.ts';
import type { ServerCertificate } from '../world.ts';
import type { ClusterPlace, RealCluster } from './cluster.ts';
import { searchPath, startDaemon } from './daemon.ts';
import type { RealPrograms } from './programs.ts';
import { startRegistry } from './registry.ts';

export interface NodeParts {
  readonly programs: RealPrograms;
  readonly cluster: RealCluster;
  readonly tls: ServerCertificate;
}

/**
 * kubelet and containerd as the node `localhost`, by which name the API server reaches it. They live in namespaces of processes and mounts of their own: when the first process there ends, nothing
 * of it is left, containers included. (No admission webhook could be made use of: this API server, compiled with a Go that is newer than it, breaks when it writes down what one has changed.)
 */
export async function startNode({ folder, closers }: ClusterPlace, { programs, cluster, tls }: NodeParts): Promise<void> {
  const place = join(folder, 'node');
  for (const name of ['log', 'run', 'cni', 'plugins', 'registry/_default', 'kubelet', 'state'])
    mkdirSync(join(place, name), { recursive: true });
  const put = (name: string, text: string): string => {
    const path = join(place, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const registry = await startRegistry(place, join(programs.node, 'bin/busybox'));
  closers.push(() => registry.close());
  const scheduler = schedule(cluster);
  closers.push(() => scheduler.close());

  const mirror = `http://127.0.0.1:${registry.port}`;
  put('registry/_default/hosts.toml', `server = "${mirror}"\n[host."${mirror}"]\n  capabilities = ["pull", "resolve"]\n`);
  put('cni/10-shared.conflist', JSON.stringify({ cniVersion: '0.3.1', name: 'shared', plugins: [{ type: 'shared' }] }));
  for (const plugin of ['shared', 'loopback']) writeFileSync(join(place, 'plugins', plugin), networkPlugin, { mode: 0o700 });
  put('containerd.toml', containerdConfig(place));
  const [port, healthPort] = [await freePort(), await freePort()];
  const settings = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '127.0.0.1',
    port,
    healthzPort: healthPort,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: { clientCAFile: cluster.kubeletClient } },
    authorization: { mode: 'AlwaysAllow' },
    tlsCertFile: put('kubelet.crt', tls.certificate),
    tlsPrivateKeyFile: put('kubelet.key', tls.key),
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    evictionHard: { 'memory.available': '1Mi' },
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    hairpinMode: 'none',
    resolvConf: put('resolv.conf', ''),
  };
  const flags = [
    `--config=${put('kubelet.yaml', stringify(settings))}`,
    `--kubeconfig=${cluster.kubeconfig}`,
    `--root-dir=${join(place, 'kubelet')}`,
    `--hostname-override=${nodeName}`,
    '--container-runtime=remote',
    `--container-runtime-endpoint=unix://${join(place, 'run/containerd.sock')}`,
  ];
  const inside = ['sh', put('start.sh', startScript), place, programs.kubelet, ...flags];
  const daemon = startDaemon(
    join(folder, 'kubelet.log'),
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', ...inside],
    {
      env: { PATH: `${join(programs.node, 'usr/bin')}:${join(programs.node, 'usr/sbin')}:${searchPath}` },
      stopSignal: 'SIGKILL',
    },
  );
  closers.push(() => daemon.stop());
  await eventually(
    'the node',
    async () => {
      daemon.check();
      const node = (await cluster.call('GET', `/api/v1/nodes/${nodeName}`).catch(() => undefined)) as ReadyNode | undefined;
      return node?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true ? true : undefined;
    },
    startMs,
  );
}

interface ReadyNode {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** What both would write into places of the machine stays in the folder. */
const startScript = `set -e
mount --make-rprivate /
mount --bind "$1/log" /var/log
mount --bind "$1/run" /run
cd "$1"
containerd --config "$1/containerd.toml" >"$1/containerd.log" 2>&1 &
while ! [ -S "$1/run/containerd.sock" ]; do sleep 0.2; done
shift
exec "$@"
`;

/**
 * A network plugin (CNI 0.3.1) that makes no network: it puts the machine's own in the place of the pod's, so that a forwarded port leads to what listens on this machine. In the place of `loopback` too,
 * which would take down the machine's.
 */
const networkPlugin = `#!/bin/sh
case "$CNI_COMMAND $(basename "$0")" in
  VERSION*) echo '{"cniVersion":"0.3.1","supportedVersions":["0.3.1"]}' ;;
  "ADD shared")
    mount --bind /proc/1/ns/net "$CNI_NETNS"
    octet=$(printf %d "0x$(printf %.2s "$CNI_CONTAINERID")")
    echo '{"cniVersion":"0.3.1","interfaces":[{"name":"'"$CNI_IFNAME"'","sandbox":"'"$CNI_NETNS"'"}],"ips":[{"version":"4","address":"10.1.0.'"$octet"'/24","interface":0}]}'
    ;;
  "ADD loopback") echo '{"cniVersion":"0.3.1"}' ;;
  "DEL shared") umount "$CNI_NETNS" 2>/dev/null || true ;;
esac
`;

/** Without CAP_SYS_RESOURCE, as containers often have to do, \`oom_score_adj\` cannot be lowered. */
function containerdConfig(place: string): string {
  return `version = 2
root = "${place}/state"
state = "${place}/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${place}/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  sandbox_image = "registry.example/pause:1"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${place}/registry"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${place}/plugins"
    conf_dir = "${place}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
}

/** Sends every pod to the node, which is what a scheduler is for. */
function schedule(cluster: RealCluster): { close(): Promise<void> } {
  const ended = new AbortController();
  const bind = async ({ metadata: { name, namespace } }: Pod): Promise<void> => {
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { apiVersion: 'v1', kind: 'Node', name: nodeName } };
    await cluster.call('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, binding);
  };
  const round = async (): Promise<void> => {
    const { items } = (await cluster.call('GET', '/api/v1/pods?fieldSelector=spec.nodeName%3D')) as { items: readonly Pod[] };
    // One that is deleted meanwhile is no loss.
    for (const pod of items) await bind(pod).catch(() => {});
  };
  const over = (async () => {
    while (!ended.signal.aborted) {
      await round().catch(() => {});
      await delay(betweenRoundsMs);
    }
  })();
  return {
    close() {
      ended.abort();
      return over;
    },
  };
}

interface Pod {
  readonly metadata: { readonly name: string; readonly namespace: string };
}

export const nodeName = 'localhost';
const betweenRoundsMs = 100;
const startMs = 180_000;
