/** The Python side: a process that answers each line of JSON with a line of JSON. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BenchError, messageOf } from '../errors.js';
import { packageRoot } from '../native.js';

/** Facts that a peer reports about itself. */
export interface PeerFacts {
  python: string;
  torch: string;
  threads: number;
  device: string;
}

interface Answer {
  error?: string;
  /** Why this machine cannot do it, such as a missing compiler or package. */
  unavailable?: string;
  values?: Record<string, number>;
  value?: number;
}

const remedy = 'Name a python with torch by --python or SRRL_PYTHON.';

export class Peer {
  private constructor(
    readonly script: string,
    readonly facts: PeerFacts,
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly next: () => Promise<string>,
  ) {}

  /** Starts bench/peers/`script`. Throws BenchError if there is no such Python, or if it has no torch. */
  static async start(python: string, script: string, threads: number): Promise<Peer> {
    const child = spawn(python, [join(packageRoot, 'bench/peers', script), String(threads)], {
      // Set before torch is imported, so that no library has created its threads yet.
      env: { ...process.env, OMP_NUM_THREADS: String(threads), PYTHONDONTWRITEBYTECODE: '1' },
    });
    const said = tailOf(child);
    const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const failed = new Promise<never>((_, reject) => {
      child.on('error', (error) =>
        reject(new BenchError(`${python} cannot be started: ${messageOf(error)}.\n${remedy}`)),
      );
    });
    // Nothing else may be listening when a process fails to start; prevents an unhandled rejection.
    failed.catch(() => {});
    child.stdin.on('error', () => {});
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => {
      const { value, done } = await Promise.race([lines.next(), failed]);
      if (!done) return value;
      // The last lines of standard error may arrive after the end of the answers.
      await closed;
      const last = said().trim().split('\n').at(-1) ?? '';
      if (/No module named '(torch|numpy)'/.test(last))
        throw new BenchError(`${python} has no torch: ${last}.\n${remedy}`);
      throw new BenchError(`The peer bench/peers/${script} ended: ${last || 'it said nothing'}`);
    };
    return new Peer(script, JSON.parse(await next()) as PeerFacts, child, next);
  }

  /** Prepares a form of the work; returns the numbers that must agree with ours, or why it is unavailable here. */
  async open(question: Record<string, unknown>): Promise<{ values: Record<string, number> } | { unavailable: string }> {
    const { values, unavailable } = await this.ask({ do: 'open', question });
    return unavailable === undefined ? { values: values ?? {} } : { unavailable };
  }

  async measure(question: Record<string, unknown>): Promise<number> {
    return (await this.ask({ do: 'measure', question })).value as number;
  }

  /** Frees everything that was opened. */
  async close(): Promise<void> {
    await this.ask({ do: 'close', question: {} });
  }

  private async ask(question: Record<string, unknown>): Promise<Answer> {
    this.child.stdin.write(`${JSON.stringify(question)}\n`);
    const answer = JSON.parse(await this.next()) as Answer;
    if (answer.error !== undefined)
      throw new BenchError(`The peer bench/peers/${this.script} failed:\n${answer.error}`);
    return answer;
  }

  /** Closes the input, at which the peer ends itself and its child processes; kills it if it still runs after 5 s. */
  end(): void {
    this.child.stdin.end();
    setTimeout(() => this.child.kill(), 5000).unref();
  }
}

/** Returns a function that returns the end of a process's standard error. */
function tailOf(child: ChildProcessWithoutNullStreams): () => string {
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text = (text + piece).slice(-4000);
  });
  return () => text;
}
