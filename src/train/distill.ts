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
 * A run in progress: what happens comes out of it as events, and it can be held and ended. It begins when the first
 * event is asked for.
 */
export class Run<Event extends TrainEvent = TrainEvent> implements AsyncIterableIterator<Event> {
  readonly #control: Control;
  readonly #events: AsyncGenerator<Event, void>;

  /** @internal */
  constructor(start: (control: Control) => AsyncGenerator<Event, void>, signal?: AbortSignal) {
    this.#control = new Control(signal);
    this.#events = start(this.#control);
  }

  /** Holds the run after the step that it is in. */
  pause(): void {
    this.#control.pause();
  }

  resume(): void {
    this.#control.resume();
  }

  /** Ends the run after the step that it is in. It writes a checkpoint, from which `resume: true` continues. */
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
 * Trains a student from a teacher and yields what happens: first `start` with the teacher's own accuracy, then steps
 * and epochs, then `end` with the student's. Everything is checked before the first step.
 *
 *     for await (const event of distill({ teacher: 'teacher.pt', student: 'resnet8', data: 'shapes' }))
 *       if (event.type === 'epoch') console.log(event.epoch, event.test?.top1);
 *
 * Where student, teacher, data and method are given as texts, the run has a thread of its own and the caller's event
 * loop stays free; objects are used in the caller's thread, a step at a time.
 */
export function distill(setup: DistillSetup): Run {
  checkCall('distill', ['setup'], undefined, arguments);
  return start('distill', setup);
}

/**
 * Trains several students side by side, by name: each step they see the same views, and the teacher runs once for all
 * of them. They may differ in student, method, seed, optimizer and folder; order and views are those of the `dataSeed`,
 * by default the first one's seed. Each ends with the bits that it would have been given alone. Throws ConfigError
 * where they do not have teacher and images in common.
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

/** Trains a model on the labels alone. Same events. */
export function train(setup: StudentSetup): Run {
  checkCall('train', ['setup'], undefined, arguments);
  return start('train', setup);
}

function start(kind: Kind, given: StudentSetup | DistillSetup): Run {
  // An error comes where all others of a run come: when its first event is asked for.
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
 * The folders that runs will write to. They are locked here and not by the thread of a run, which may be ended before
 * it can release them.
 */
const writtenBy = (setups: readonly StudentSetup[]): string[] => {
  // Of several processes, the first one writes.
  if ((loadedNative()?.distributedInfo()?.rank ?? 0) > 0) return [];
  return setups.flatMap(({ out, dryRun }) => (out === undefined || dryRun ? [] : [out]));
};

/** What the run itself takes, which may be in another thread. */
function ownOptions({ signal: _signal, reporters: _reporters, ...setup }: DistillSetup): DistillSetup {
  return setup;
}
