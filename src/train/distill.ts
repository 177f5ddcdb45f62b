import { checkCall } from '../call.js';
import { loadedNative } from '../native.js';
import { checkSetup, type Kind } from './check-setup.js';
import { Control } from './control.js';
import type { TrainEvent } from './events.js';
import { canRunElsewhere, remoteRun } from './remote.js';
import { reported, reportedByStudent } from './reporter.js';
import { run } from './run.js';
import { whileLocked } from './run-lock.js';
import type { DistillSetup, StudentSetup } from './setup.js';
import { checkTogether, runTogether, type TogetherEvent } from './together.js';

/**
 * A run in progress: an async iterator of its events, which can be paused, resumed and stopped. It starts with the
 * first call of `next()`.
 */
export class Run<Event extends TrainEvent = TrainEvent> implements AsyncIterableIterator<Event> {
  readonly #control: Control;
  readonly #events: AsyncGenerator<Event, void>;

  /** @internal */
  constructor(start: (control: Control) => AsyncGenerator<Event, void>, signal?: AbortSignal) {
    this.#control = new Control(signal);
    this.#events = start(this.#control);
  }

  /** Pauses the run after the current step. */
  pause(): void {
    this.#control.pause();
  }

  resume(): void {
    this.#control.resume();
  }

  /** Stops the run after the current step. It writes a checkpoint, from which `resume: true` resumes. */
  stop(): void {
    this.#control.stop();
  }

  next(): Promise<IteratorResult<Event, void>> {
    return this.#events.next();
  }

  /** Ends the run at once, as `break` in a loop over it does. */
  return(): Promise<IteratorResult<Event, void>> {
    return this.#events.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Trains a student from a teacher and yields events: first `start` with the teacher's accuracy, then steps and epochs,
 * then `end` with the student's accuracy. Everything is checked before the first step.
 *
 *     for await (const event of distill({ teacher: 'teacher.pt', student: 'resnet8', data: 'shapes' }))
 *       if (event.type === 'epoch') console.log(event.epoch, event.test?.top1);
 *
 * If student, teacher, data and method are strings, the run has its own thread and the caller's event loop stays free;
 * objects are used in the caller's thread, one step at a time.
 */
export function distill(setup: DistillSetup): Run {
  checkCall('distill', ['setup'], undefined, arguments);
  return start('distill', setup);
}

/**
 * Trains several named students side by side: in each step they see the same views, and the teacher runs once for all.
 * They may differ in student, method, seed, optimizer and folder; `dataSeed` (default: the first student's seed) sets
 * order and views. Each result is bitwise identical to training alone. Throws ConfigError if teacher or images differ.
 *
 *     const setup = { teacher: 'teacher.pt', data: 'shapes' };
 *     const run = distillTogether({ small: { ...setup, student: 'resnet8' }, large: { ...setup, student: 'resnet20' } });
 *     for await (const event of run) if (event.type === 'end') console.log(event.student, event.test.top1);
 */
export function distillTogether(
  setups: Record<string, DistillSetup>,
  { signal }: { signal?: AbortSignal } = {},
): Run<TogetherEvent> {
  checkCall('distillTogether', ['setups'], { signal: 'any' }, arguments);
  for (const setup of Object.values(setups)) checkSetup('distill', setup);
  checkTogether(setups);
  const plain = Object.fromEntries(Object.entries(setups).map(([name, setup]) => [name, ownOptions(setup)]));
  const reporters = Object.fromEntries(Object.entries(setups).map(([name, setup]) => [name, setup.reporters ?? []]));
  const elsewhere = Object.values(plain).every(canRunElsewhere);
  const start = (control: Control) =>
    elsewhere ? remoteRun<TogetherEvent>({ together: plain }, control) : runTogether(plain, control);
  const locked = (control: Control) => whileLocked(writtenBy(Object.values(plain)), () => start(control));
  return new Run((control) => reportedByStudent(locked(control), reporters), signal);
}

/** Trains a model on the labels alone. Yields the events of {@link distill}. */
export function train(setup: StudentSetup): Run {
  checkCall('train', ['setup'], undefined, arguments);
  return start('train', setup);
}

function start(kind: Kind, given: StudentSetup | DistillSetup): Run {
  // Like all errors of a run, a wrong setup is thrown by the first call of next().
  const { signal, reporters = [], ...setup } = given ?? {};
  const begin = (control: Control) =>
    canRunElsewhere(setup) ? remoteRun({ one: setup }, control) : run(setup, control);
  const checked = async function* (control: Control) {
    checkSetup(kind, given);
    yield* reported(
      whileLocked(writtenBy([setup]), () => begin(control)),
      reporters,
    );
  };
  return new Run(checked, signal instanceof AbortSignal ? signal : undefined);
}

/**
 * Returns the folders that runs will write to. They are locked here and not in the thread of a run, which may be
 * terminated before it can release them.
 */
const writtenBy = (setups: readonly StudentSetup[]): string[] => {
  // Of several processes, only the first one writes.
  if ((loadedNative()?.distributedInfo()?.rank ?? 0) > 0) return [];
  return setups.flatMap(({ out, dryRun }) => (out === undefined || dryRun ? [] : [out]));
};

/** Returns the options for the run itself, which may be in another thread. */
function ownOptions({ signal: _signal, reporters: _reporters, ...setup }: DistillSetup): DistillSetup {
  return setup;
}
