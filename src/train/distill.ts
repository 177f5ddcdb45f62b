import { Control } from './control.js';
import type { TrainEvent } from './events.js';
import { canRunElsewhere, remoteRun } from './remote.js';
import { run } from './run.js';
import type { DistillSetup, StudentSetup } from './setup.js';

/** A run in progress: what happens comes out of it as events, and it can be held and ended. It begins when the first event is asked for. */
export class Run implements AsyncIterableIterator<TrainEvent> {
  readonly #control: Control;
  readonly #events: AsyncGenerator<TrainEvent, void>;

  /** @internal */
  constructor(setup: StudentSetup | DistillSetup) {
    this.#control = new Control(setup.signal);
    this.#events = canRunElsewhere(setup) ? remoteRun(setup, this.#control) : run(setup, this.#control);
  }

  /** Holds the run after the step that it is in. */
  pause(): void {
    this.#control.pause();
  }

  resume(): void {
    this.#control.resume();
  }

  /** Ends the run after the step that it is in. It writes a checkpoint, from which `resume: true` goes on. */
  stop(): void {
    this.#control.stop();
  }

  next(): Promise<IteratorResult<TrainEvent, void>> {
    return this.#events.next();
  }

  /** Ends the run at once, as `break` in a loop over it does. */
  return(): Promise<IteratorResult<TrainEvent, void>> {
    return this.#events.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Trains a student from a teacher and yields what happens: first `start` with the teacher's own accuracy, then steps and epochs, then `end`
 * with the student's. Everything is checked before the first step.
 *
 *     for await (const event of distill({ teacher: 'teacher.pt', student: 'resnet8', data: 'shapes' }))
 *       if (event.type === 'epoch') console.log(event.epoch, event.test?.top1);
 *
 * Where student, teacher, data and method are given as texts, the run has a thread of its own and the caller's event loop stays free; objects are used
 * in the caller's thread, a step at a time.
 */
export function distill(setup: DistillSetup): Run {
  return new Run(setup);
}

/** Trains a model on the labels alone. Same events. */
export function train(setup: StudentSetup): Run {
  return new Run(setup);
}
