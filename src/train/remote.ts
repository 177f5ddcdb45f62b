/** A run in a worker thread, from the side of the caller. */
import { Worker } from 'node:worker_threads';
import { ThreadError } from '../errors.js';
import type { Command, Control } from './control.js';
import type { TrainEvent } from './events.js';
import { type PackedError, packed, revived } from './packed-error.js';
import { type DistillSetup, isNamed, type StudentSetup } from './setup.js';

/** What the worker says. */
export type Message = { type: 'event'; event: TrainEvent } | { type: 'done' } | { type: 'error'; error: PackedError };

/** Whether another thread can make everything that the setup names. */
export function canRunElsewhere(setup: StudentSetup | DistillSetup): boolean {
  const { student, data, teacher, method } = setup as Partial<DistillSetup>;
  return [student, data, teacher, method].every(isNamed);
}

// From sources, as tests run, the thread still needs what was compiled: Node cannot read TypeScript.
const entry = new URL(import.meta.url.endsWith('.ts') ? '../../dist/train/worker.js' : './worker.js', import.meta.url);

/** What the thread is to do. */
export type Task = { one: StudentSetup | DistillSetup } | { together: Record<string, DistillSetup> };

/** Threads whose run is over, and that have not ended. */
const stuck = new Set<Worker>();

/** Whether a thread is held up in a read that may never return: the process cannot exit in the usual way then. */
export const hasStuckThread = (): boolean => stuck.size > 0;

/** Does the task in a thread of its own; nothing in it may hold a signal, which is the control's. */
export async function* remoteRun<Event extends TrainEvent>(task: Task, control: Control): AsyncGenerator<Event, void> {
  const { signal } = control;
  signal?.throwIfAborted();
  const worker = new Worker(entry, { workerData: task, argv: process.argv.slice(1) });
  const inbox = new Inbox(worker);
  // From the start: a caller that is slow to ask again must not wait for an exit that has been.
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
    // It closes its files by itself; a thread that hangs is ended, and one that a disk holds up is left behind.
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

/** Messages in their order; a step that nobody has taken yet gives way to the next one. */
class Inbox {
  #waiting: Message[] = [];
  #wake: () => void = () => {};

  constructor(worker: Worker) {
    worker.on('message', (message: Message) => this.put(message));
    worker.on('error', (error: Error) => this.put({ type: 'error', error: packed(error) }));
    // Behind `done` nobody looks at it.
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
