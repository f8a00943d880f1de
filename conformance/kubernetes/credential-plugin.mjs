// A credential plugin: prints what stands in a file, and adds what it was told of the cluster to another.
import { appendFileSync, readFileSync } from 'node:fs';

const [answer, told] = process.argv.slice(2);
appendFileSync(told, `${process.env.KUBERNETES_EXEC_INFO}\n`);
process.stdout.write(readFileSync(answer));
