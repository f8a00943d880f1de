#!/usr/bin/env node
// Starts the command line under a Node that can run it: this one when it is new enough, else the one from npm that the lock file
// pins. In a checkout the TypeScript sources run directly; a published package holds compiled JavaScript.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const largePages = '--use-largepages=silent';
const [major, minor] = process.versions.node.split('.').map(Number);
const source = new URL('../src/cli/main.ts', import.meta.url);
const main = existsSync(source) ? source : new URL('../dist/src/cli/main.js', import.meta.url);

if (major > 24 || (major === 24 && minor >= 15)) {
  if (process.argv[2] === 'serve') useLargePages();
  await import(main.href);
} else {
  const options = process.argv[2] === 'serve' && process.platform === 'linux' ? [largePages] : [];
  const child = spawn(pinnedNode(), [...options, fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code, signal) => {
    if (signal !== null) process.removeAllListeners(signal).kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}

/**
 * Starts anew, in the same process, with Node's own code in large pages: a request runs through so much of it that finding its pages takes a tenth of the time. Where the system has
 * none, Node goes on without.
 */
function useLargePages() {
  const given = `${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`;
  if (process.platform !== 'linux' || given.includes('--use-largepages') || process.execve === undefined) return;
  // A channel to a parent would not outlive it; a program that was replaced meanwhile cannot be started.
  if (process.channel !== undefined || !existsSync(process.execPath)) return;
  process.execve(process.execPath, [process.execPath, largePages, ...process.execArgv, ...process.argv.slice(1)], process.env);
}

function pinnedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`);
    return fileURLToPath(new URL('bin/node', `file://${manifest}`));
  } catch {
    return fail(
      `needs Node 24.15 or newer; this is ${process.versions.node}, and no pinned Node is installed for ${process.platform}-${process.arch}`,
    );
  }
}

function fail(message) {
  process.stderr.write(`sallyport: ${message}\n`);
  process.exit(1);
}
