import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launch } from './programs.ts';

export interface HaproxyOptions {
  /** Its configuration goes there. */
  readonly folder: string;
  readonly mode: 'http' | 'tcp';
  readonly port: number;
  /** What `bind` says of clients beside the address: their TLS. */
  readonly clients?: string;
  /** The target's address, and how it is spoken to. */
  readonly target: string;
}

/** HAProxy in front of one target, with one thread as the others have one. */
export function haproxy({ folder, mode, port, clients = '', target }: HaproxyOptions): Launch {
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 8000
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  ${mode === 'http' ? 'http-reuse always' : ''}
listen target
  bind 127.0.0.1:${port} ${clients}
  server target ${target}
`,
  );
  return { name: 'HAProxy', command: 'haproxy', parameters: ['-db', '-f', file], port };
}

export interface NginxOptions {
  /** Its files go there, beside those of others with another name. */
  readonly folder: string;
  readonly name: string;
  readonly port: number;
  /** What stands in its `http` block: `server`, `upstream`, `map`. */
  readonly servers: string;
}

/** nginx with one worker. Started by root, the worker is nobody, who reads nothing of a folder that is root's alone. */
export function nginx({ folder, name, port, servers }: NginxOptions): Launch {
  const file = join(folder, `${name}.conf`);
  writeFileSync(
    file,
    `daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? 'user nobody nogroup;\n' : ''}pid ${folder}/${name}.pid;
error_log stderr crit;
events { worker_connections 2048; }
http {
  access_log off;
  default_type application/json;
  keepalive_requests 100000000;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${name}.${kind};`).join('\n  ')}
  ${servers}
}
`,
  );
  return { name: `nginx (${name})`, command: 'nginx', parameters: ['-c', file, '-e', 'stderr'], port };
}
