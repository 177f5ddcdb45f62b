import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

export interface Outcome {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a file of this package, or `srrl`, in a process of its own. */
export function node(
  file: string,
  args: string[],
  { env = {}, cwd = packageRoot }: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Outcome {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, signal, stdout, stderr };
}

export const srrl = (args: string[], env: NodeJS.ProcessEnv = {}): Outcome =>
  node(`${packageRoot}/bin/srrl.js`, args, { env });
