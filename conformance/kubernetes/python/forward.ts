import { run } from '../../harness.ts';

/** Connections to these ports, all over one WebSocket; on each the same requests, one after another. */
export interface ForwardStep {
  readonly ports: readonly number[];
  /** Method, path, and how long the body is. */
  readonly requests?: readonly (readonly [string, string, number])[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Until something is told on the channel of errors, instead of requests. */
  readonly waits?: true;
}

/** By port: status and body of each answer, long ones by their length, and what was told on the channel of errors. */
export type Forwarded = Readonly<
  Record<string, { readonly answers: readonly (readonly [number, string | number])[]; readonly error: string | null }>
>;

/** Debian's `python3-kubernetes` (22.6), with the kubeconfig of this environment: what its `portforward` gave, step by step. */
export async function pythonForwards(
  env: NodeJS.ProcessEnv,
  place: { readonly pod: string; readonly namespace: string },
  steps: readonly ForwardStep[],
): Promise<readonly Forwarded[]> {
  const script = new URL('forward.py', import.meta.url).pathname;
  const { status, stdout, stderr } = await run('timeout', ['90', '/usr/bin/python3', script], env, JSON.stringify({ ...place, steps }));
  if (status !== 0) throw new Error(`port-forward of Python failed: ${stderr}`);
  return JSON.parse(stdout) as readonly Forwarded[];
}
