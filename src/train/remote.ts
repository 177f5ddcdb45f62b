/** The caller's side of a run in a worker thread. */
import { Worker } from 'node:worker_threads';
import { ThreadError } from '../errors.js';
import type { Command, Control } from './control.js';
import type { TrainEvent } from './events.js';
import { type PackedError, packed, revived } from './packed-error.js';
import { type DistillSetup, isNamed, type StudentSetup } from './setup.js';
import { threadFlags } from './thread-flags.js';

/** Messages from the worker. */
export type Message = { type: 'event'; event: TrainEvent } | { type: 'done' } | { type: 'error'; error: PackedError };

/** Returns whether another thread can create everything in the setup, because it is named by strings. */
export function canRunElsewhere(setup: StudentSetup | DistillSetup): boolean {
  const { student, data, teacher, method } = setup as Partial<DistillSetup>;
  return [student, data, teacher, method].every(isNamed);
}

// Also when run from sources, as in tests, the thread needs the compiled file: Node cannot read TypeScript.
const entry = new URL(import.meta.url.endsWith('.ts') ? '../../dist/train/worker.js' : './worker.js', import.meta.url);

/** The task of the thread. */
export type Task = { one: StudentSetup | DistillSetup } | { together: Record<string, DistillSetup> };

/** Threads that have not exited although their run is over. */
const stuck = new Set<Worker>();

/** Returns whether a thread is stuck, as in a read that may never return: then the process cannot exit normally. */
export const hasStuckThread = (): boolean => stuck.size > 0;

/** Runs the task in its own thread. The task must not contain the signal, which belongs to `control`. */
export async function* remoteRun<Event extends TrainEvent>(task: Task, control: Control): AsyncGenerator<Event, void> {
  const { signal } = control;
  signal?.throwIfAborted();
  const worker = new Worker(entry, { workerData: task, argv: process.argv.slice(1), ...threadFlags() });
  const inbox = new Inbox(worker);
  // Listens from the start, because the exit may come before a slow caller asks again.
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const tell = (command: Command) => worker.postMessage(command);
  control.forward(tell);
  try {
    for (;;) {
      const message = await inbox.take();
      if (message.type === 'done') return;
      if (message.type === 'error') throw signal?.aborted ? signal.reason : revived(message.error);
      yield message.event as Event;
    }
  } finally {
    tell('abort');
    // The thread closes its files; after 5 s it is terminated, and after 7 s left behind (a disk may block it).
    const patience = setTimeout(() => void worker.terminate(), 5_000);
    let end: NodeJS.Timeout | undefined;
    const leftBehind = new Promise<void>((resolve) => {
      end = setTimeout(resolve, 7_000);
    });
    stuck.add(worker);
    void exited.then(() => stuck.delete(worker));
    await Promise.race([exited, leftBehind]);
    worker.unref();
    clearTimeout(patience);
    clearTimeout(end);
  }
}

/** A queue of messages in order; a step event that is still waiting is replaced by the next one. */
class Inbox {
  #waiting: Message[] = [];
  #wake: () => void = () => {};

  constructor(worker: Worker) {
    worker.on('message', (message: Message) => this.put(message));
    worker.on('error', (error: Error) => this.put({ type: 'error', error: packed(error) }));
    // After `done` nothing reads this message.
    worker.on('exit', (code) =>
      this.put({
        type: 'error',
        error: packed(new ThreadError(`The run's thread ended with code ${code} before the run did.`)),
      }),
    );
  }

  private put(message: Message): void {
    const last = this.#waiting.at(-1);
    if (isStep(message) && last && isStep(last)) this.#waiting.pop();
    this.#waiting.push(message);
    this.#wake();
  }

  async take(): Promise<Message> {
    while (this.#waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#waiting.shift() as Message;
  }
}

const isStep = (message: Message): boolean => message.type === 'event' && message.event.type === 'step';
