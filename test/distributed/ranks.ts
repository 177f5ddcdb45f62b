/** Several processes of one program on this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { packageRoot } from '../helpers/cli.js';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export function ended(child: ChildProcess): Promise<Ended> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, output })));
}

/** Runs `args` of `program` as so many ranks; what became of each. */
export async function runRanks(
  count: number,
  args: readonly string[],
  { program = process.execPath, env = {} }: { program?: string; env?: Record<string, string> } = {},
): Promise<Ended[]> {
  const port = await freePort();
  const ranks = Array.from({ length: count }, (_, rank) =>
    spawn(program, args, {
      cwd: packageRoot,
      env: {
        ...process.env,
        OMP_NUM_THREADS: '1',
        MASTER_ADDR: '127.0.0.1',
        MASTER_PORT: String(port),
        WORLD_SIZE: String(count),
        RANK: String(rank),
        LOCAL_RANK: String(rank),
        SRRL_DISTRIBUTED_TIMEOUT: '60',
        ...env,
      },
    }),
  );
  return Promise.all(ranks.map(ended));
}
