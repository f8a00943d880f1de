import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/**
 * A registry of container images (OCI distribution specification 1.0) on loopback, which has every image that is asked for: busybox, that does nothing until it is told to. One
 * that is called `busybox` is a shell.
 */
export async function startRegistry(folder: string, busybox: string): Promise<{ readonly port: number; close(): Promise<void> }> {
  const layer = describe('application/vnd.oci.image.layer.v1.tar', layerOf(folder, busybox));
  const images = new Map([false, true].map((isShell) => [isShell, imageOf(layer, isShell ? ['sh'] : ['sleep', '2147483647'])]));
  const blobs = new Map(
    [layer, ...[...images.values()].flatMap(({ config, manifest }) => [config, manifest])].map((one) => [one.digest, one]),
  );
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const [, name = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? [];
    const isTag = kind === 'manifests' && !reference.startsWith('sha256:');
    const found = isTag ? images.get(/(?:^|\/)busybox$/.test(name))!.manifest : blobs.get(reference);
    if (pathname === '/v2/') response.end();
    else if (kind === undefined || found === undefined) response.writeHead(404).end();
    else {
      response.writeHead(200, { 'content-type': found.mediaType, 'content-length': found.size, 'docker-content-digest': found.digest });
      response.end(request.method === 'HEAD' ? undefined : found.bytes);
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
}

function describe(mediaType: string, bytes: Buffer): Blob {
  return { mediaType, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, size: bytes.length, bytes };
}

function imageOf(layer: Blob, command: readonly string[]): { readonly config: Blob; readonly manifest: Blob } {
  const asJson = (mediaType: string, value: unknown): Blob => describe(mediaType, Buffer.from(JSON.stringify(value)));
  const descriptor = ({ mediaType, digest, size }: Blob): unknown => ({ mediaType, digest, size });
  const config = asJson('application/vnd.oci.image.config.v1+json', {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Cmd: command, Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return { config, manifest: asJson(mediaType, { schemaVersion: 2, mediaType, config: descriptor(config), layers: [descriptor(layer)] }) };
}

/** Every applet under its own name, and the few files that programs look for. */
function layerOf(folder: string, busybox: string): Buffer {
  const root = join(folder, 'image');
  for (const name of ['bin', 'etc', 'root', 'tmp']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync(busybox, join(root, 'bin/busybox'));
  const applets = spawnSync(busybox, ['--list'], { encoding: 'utf8' }).stdout.split('\n');
  for (const applet of applets) if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  const file = join(folder, 'image.tar');
  const { status, stderr } = spawnSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', file, '.'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`tar failed: ${stderr}`);
  return readFileSync(file);
}
