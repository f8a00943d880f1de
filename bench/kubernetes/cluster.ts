import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApiServer } from '../../conformance/kubernetes/api-server/index.ts';
import { plainPod } from '../../conformance/kubernetes/world.ts';

/**
 * The tests' API server as a program of its own: `cluster.ts <folder> <port> <megabytes of log>`. The folder holds `server.crt`,
 * `server.key` and `cluster.token`.
 */
const [folder = '', port = '', megabytes = ''] = process.argv.slice(2);
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
mkdirSync(join(folder, 'pods'));
const server = await startApiServer({
  folder: join(folder, 'pods'),
  tls: { certificate: read('server.crt'), key: read('server.key') },
  accounts: [{ token: read('cluster.token'), user: { name: 'gateway', groups: ['system:masters'] } }],
  port: Number(port),
});
server.create(plainPod('web'));
const line = 'level=info msg=\\"order taken\\" order=1234567 customer=wombat duration=12ms path=/orders/1234567 status=201';
const write = `yes "${line}" | head -c ${Number(megabytes) * 1_000_000}; echo; echo written; exec sleep infinity`;
server.create(plainPod('talk', 'default', { command: ['sh', '-c', write] }));
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)));
