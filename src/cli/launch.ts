/** Starts the processes of a run, watches them, and restarts them if one fails, as torchrun does, without Python. */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { timeoutVariable } from '../distributed/group.js';
import { Meeting } from '../distributed/meeting.js';
import { ConfigError, DistributedError } from '../errors.js';
import { packageRoot } from '../native.js';
import { launcherVariable } from './ranks.js';

export interface LaunchOptions {
  nproc: number;
  nnodes: number;
  nodeRank: number;
  master?: string | undefined;
  maxRestarts: number;
  timeout: number;
}

const defaultPort = 29500;
/** Exit codes of a process that ended by Ctrl-C or SIGTERM. */
const stopCodes = new Set([130, 143]);
/** Seconds that the other processes have to report an error and end when one has failed. */
const grace = 30;

/** Resolves when all processes have ended without error. Throws DistributedError if they failed too often. */
export async function launch(options: LaunchOptions, command: readonly string[]): Promise<void> {
  const { nnodes, nodeRank, maxRestarts } = options;
  if (nodeRank >= nnodes)
    throw new ConfigError(
      `--node-rank ${nodeRank} of --nnodes ${nnodes} is none: machines are numbered from 0 to ${nnodes - 1}.`,
    );
  if (nnodes > 1 && options.master === undefined)
    throw new ConfigError('--nnodes needs --master HOST:PORT, the same on every machine: where machine 0 is reached.');
  if (command[0] === 'launch')
    throw new ConfigError('srrl launch cannot start itself: name the command that is to run.');
  const place = placeOf(options.master);
  const meeting = await Meeting.open({ ...place, hosts: nodeRank === 0, timeout: options.timeout });
  const node = new Node(options, command, { ...place, port: meeting.port }, meeting);
  for (let restarts = 0; ; restarts++) {
    const failed = await node.run(restarts);
    if (failed === undefined) return meeting.leave(nnodes, nodeRank);
    if (node.stopped || restarts >= maxRestarts) {
      await meeting.leave(nnodes, nodeRank);
      process.exitCode = failed.code;
      if (node.stopped) return;
      throw new DistributedError(
        `${failed.text}${maxRestarts > 0 ? `, also after ${restarts} restarts` : ''}. Its reason is above; with --out, resume the run with --resume and any number of processes.`,
      );
    }
    console.error(`srrl: ${failed.text}: restart ${restarts + 1} of ${maxRestarts}`);
  }
}

/** Parses the master address; without one, uses this machine and any free port. */
function placeOf(master: string | undefined): { address: string; port: number } {
  if (master === undefined) return { address: '127.0.0.1', port: 0 };
  const [, address = '', port] = /^(.*?)(?::(\d+))?$/.exec(master) ?? [];
  return { address, port: port === undefined ? defaultPort : Number(port) };
}

interface Failure {
  text: string;
  /** The exit code for this process. */
  code: number;
}

/** The processes of this machine. */
class Node {
  /** Whether Ctrl-C or SIGTERM has ended them. */
  stopped = false;

  constructor(
    private readonly options: LaunchOptions,
    private readonly command: readonly string[],
    private readonly place: { address: string; port: number },
    private readonly meeting: Meeting,
  ) {}

  /** Runs all processes to their end; returns the first failure. */
  async run(restarts: number): Promise<Failure | undefined> {
    const { nproc, nodeRank } = this.options;
    const children = Array.from({ length: nproc }, (_, local) => this.start(local, restarts));
    const stop = (signal: NodeJS.Signals) => {
      this.stopped = true;
      for (const child of children) child.kill(signal);
    };
    // When the terminal closes, the runs save before they end, so that no steps are lost.
    const hangUp = () => stop('SIGTERM');
    process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', hangUp);
    let failure: Failure | undefined;
    let last: NodeJS.Timeout | undefined;
    const fail = (found: Failure) => {
      if (failure) return;
      failure = found;
      this.meeting.failed(restarts);
      // A suspended or hanging process does not end by itself.
      last = setTimeout(() => end(children), 1000 * Math.min(grace, this.options.timeout));
    };
    let watches = this.options.nnodes > 1;
    const watch = async () => {
      for (; watches; await sleep(1000)) {
        const text = await this.meeting.failureElsewhere(restarts);
        if (text !== undefined && watches) fail({ text, code: 1 });
        watches &&= text === undefined;
      }
    };
    void watch();
    await Promise.all(
      children.map(async (child, local) => {
        const failed = await ended(child);
        if (!failed) return;
        // It was asked to end, for example by a scheduler: the others end too, and nothing is restarted.
        if (stopCodes.has(failed.code)) this.stopped = true;
        fail({ ...failed, text: `rank ${nodeRank * nproc + local} (process ${child.pid}) ${failed.text}` });
      }),
    );
    watches = false;
    clearTimeout(last);
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop).removeListener('SIGHUP', hangUp);
    return failure;
  }

  private start(local: number, restarts: number): ChildProcess {
    const { nproc, nnodes, nodeRank, timeout } = this.options;
    const again = restarts > 0 && !this.command.includes('--resume') && this.command.includes('--out');
    // After the user's flags, because the last one takes precedence.
    const args = again ? [...this.command.filter((arg) => arg !== '--overwrite'), '--resume'] : this.command;
    const threads = Math.max(1, Math.floor(availableParallelism() / nproc));
    return spawn(process.execPath, [join(packageRoot, 'bin/srrl.js'), ...args], {
      stdio: 'inherit',
      // Ctrl-C reaches only this process, which passes it on once: a second one would kill a run that is saving.
      detached: true,
      env: {
        OMP_NUM_THREADS: String(threads),
        ...process.env,
        RANK: String(nodeRank * nproc + local),
        WORLD_SIZE: String(nnodes * nproc),
        LOCAL_RANK: String(local),
        LOCAL_WORLD_SIZE: String(nproc),
        MASTER_ADDR: this.place.address,
        MASTER_PORT: String(this.place.port),
        TORCHELASTIC_USE_AGENT_STORE: 'True',
        TORCHELASTIC_RESTART_COUNT: String(restarts),
        [timeoutVariable]: String(timeout),
        [launcherVariable]: String(process.pid),
      },
    });
  }
}

function end(children: readonly ChildProcess[]): void {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}

/** Resolves to how a process failed; undefined if it succeeded. */
function ended(child: ChildProcess): Promise<Failure | undefined> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ text: `cannot be started: ${error.message}`, code: 1 }));
    child.on('exit', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve({ text: signal ? `was ended by ${signal}` : `ended with exit code ${code}`, code: code ?? 1 });
    });
  });
}
