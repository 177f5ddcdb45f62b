/** The Python side: a process that answers each line of JSON with one. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BenchError, messageOf } from '../errors.js';
import { packageRoot } from '../native.js';

/** What a peer says of itself. */
export interface PeerFacts {
  python: string;
  torch: string;
  threads: number;
  device: string;
}

interface Answer {
  error?: string;
  /** Why this machine cannot do it: no compiler, a package that is missing. */
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

  /** Starts bench/peers/`script`. Throws BenchError where there is no such python, or no torch in it. */
  static async start(python: string, script: string, threads: number): Promise<Peer> {
    const child = spawn(python, [join(packageRoot, 'bench/peers', script), String(threads)], {
      // Before torch is imported, so that no library has made its threads yet.
      env: { ...process.env, OMP_NUM_THREADS: String(threads), PYTHONDONTWRITEBYTECODE: '1' },
    });
    const said = tailOf(child);
    const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const failed = new Promise<never>((_, reject) => {
      child.on('error', (error) =>
        reject(new BenchError(`${python} cannot be started: ${messageOf(error)}.\n${remedy}`)),
      );
    });
    // A process that could not be started has no other listener once it is talked to.
    failed.catch(() => {});
    child.stdin.on('error', () => {});
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => {
      const { value, done } = await Promise.race([lines.next(), failed]);
      if (!done) return value;
      // Its last words may come after the end of its answers.
      await closed;
      const last = said().trim().split('\n').at(-1) ?? '';
      if (/No module named '(torch|numpy)'/.test(last))
        throw new BenchError(`${python} has no torch: ${last}.\n${remedy}`);
      throw new BenchError(`The peer bench/peers/${script} ended: ${last || 'it said nothing'}`);
    };
    return new Peer(script, JSON.parse(await next()) as PeerFacts, child, next);
  }

  /** Makes a form of the work ready; its numbers that must agree with ours, or why it cannot be done here. */
  async open(question: Record<string, unknown>): Promise<{ values: Record<string, number> } | { unavailable: string }> {
    const { values, unavailable } = await this.ask({ do: 'open', question });
    return unavailable === undefined ? { values: values ?? {} } : { unavailable };
  }

  async measure(question: Record<string, unknown>): Promise<number> {
    return (await this.ask({ do: 'measure', question })).value as number;
  }

  /** Gives up everything that was opened. */
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

  /** It ends by itself when nothing more can come, and takes its own processes with it; what hangs is ended. */
  end(): void {
    this.child.stdin.end();
    setTimeout(() => this.child.kill(), 5000).unref();
  }
}

/** The end of what a process writes to its standard error. */
function tailOf(child: ChildProcessWithoutNullStreams): () => string {
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text = (text + piece).slice(-4000);
  });
  return () => text;
}
