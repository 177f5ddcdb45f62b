/** Profiles operators and kernels with libtorch's profiler. As torch.profiler. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { replaceFile } from '../atomic.js';
import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, FileError, messageOf } from '../errors.js';
import { native } from '../native.js';
import type { RawProfile } from '../native-types.js';
import { type ProfileEvent, profileEvents } from './profile-events.js';
import { type ProfileRow, type ProfileTableOptions, profileRows, profileTable } from './profile-table.js';

/** What {@link profile} records. */
export interface ProfileOptions {
  /** Activities to record. Default: `cpu`, and also `cuda` if there is a GPU. */
  activities?: readonly ('cpu' | 'cuda')[];
  /** Records the shapes of arguments. Default false. */
  recordShapes?: boolean;
  /** Records allocated and freed memory. Default false. */
  profileMemory?: boolean;
}

const kinds: Kinds<ProfileOptions> = { activities: 'any', recordShapes: 'boolean', profileMemory: 'boolean' };

/** A recorded profile. It needs no dispose(). */
export class Profile {
  /** All events, sorted by start. */
  readonly events: readonly ProfileEvent[];
  readonly #trace: RawProfile['trace'];
  #json: Buffer | undefined;

  /** @internal */
  constructor(raw: RawProfile) {
    this.events = profileEvents(raw);
    this.#trace = raw.trace;
  }

  /** Events summed up by operator or by kernel. As key_averages(). */
  rows(options: Omit<ProfileTableOptions, 'rowLimit'> = {}): ProfileRow[] {
    return profileRows(this.events, options);
  }

  /** {@link rows} as text. */
  table(options: ProfileTableOptions = {}): string {
    return profileTable(this.events, options);
  }

  /** Writes the trace for chrome://tracing or https://ui.perfetto.dev atomically. Throws FileError. */
  exportChromeTrace(file: string): void {
    try {
      const content = this.#chromeTrace();
      replaceFile(file, (descriptor) => writeFileSync(descriptor, content));
    } catch (error) {
      throw new FileError(`The trace ${file} cannot be written: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Kineto writes a trace only once, and only into a file. */
  #chromeTrace(): Buffer {
    if (this.#json) return this.#json;
    const folder = mkdtempSync(join(tmpdir(), 'srrl-trace-'));
    try {
      const file = join(folder, 'trace.json');
      native().profileSave(this.#trace, file);
      this.#json = readFileSync(file);
      return this.#json;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}

/**
 * Profiles this thread and its worker threads from start() to stop(). A process can run only one profiler at a time:
 * start() throws NativeError while another one runs.
 *
 *     const profiler = new torch.Profiler().start();
 *     for (const batch of batches) {
 *       trainStep(batch);
 *       profiler.step();
 *     }
 *     console.log(profiler.stop().table());
 */
export class Profiler {
  #steps: number | undefined;

  constructor(readonly options: ProfileOptions = {}) {
    checkCall('new Profiler', [], kinds, arguments);
  }

  start(): this {
    const { activities = native().profileActivities(), recordShapes = false, profileMemory = false } = this.options;
    check(activities);
    native().profileStart(activities.includes('cuda'), recordShapes, profileMemory);
    this.#steps = 0;
    native().rangeBegin('ProfilerStep#0');
    return this;
  }

  /** Ends a step: each is a range in the trace, and the row `ProfilerStep*` of the table. */
  step(): void {
    if (this.#steps === undefined) throw new ArgumentError('This profiler was not started.');
    native().rangeEnd();
    this.#steps++;
    native().rangeBegin(`ProfilerStep#${this.#steps}`);
  }

  stop(): Profile {
    if (this.#steps === undefined) throw new ArgumentError('This profiler was not started.');
    this.#steps = undefined;
    native().rangeEnd();
    return new Profile(native().profileStop());
  }
}

function check(activities: readonly string[]): void {
  checkCall('profile', ['activities: list'], undefined, [activities]);
  const known: readonly string[] = native().profileActivities();
  for (const activity of activities) {
    if (known.includes(activity)) continue;
    const reason =
      activity === 'cuda' ? 'there is no GPU, or libtorch has no CUDA' : `there are only ${known.join(' and ')}`;
    throw new ArgumentError(`Activity ${JSON.stringify(activity)} cannot be profiled: ${reason}.`);
  }
}

/**
 * Runs `body` and profiles it; profiling also ends if `body` throws. For an asynchronous function, everything that this
 * thread does until the promise settles is recorded. Calls cannot be nested.
 *
 *     const profile = torch.profile(() => model.forward(images).sum().backward());
 *     console.log(profile.table());
 *     profile.exportChromeTrace('trace.json');
 */
export function profile(body: () => Promise<unknown>, options?: ProfileOptions): Promise<Profile>;
export function profile(body: () => unknown, options?: ProfileOptions): Profile;
export function profile(body: () => unknown, options: ProfileOptions = {}): Profile | Promise<Profile> {
  checkCall('profile', ['body: function'], kinds, arguments);
  const { activities = native().profileActivities(), recordShapes = false, profileMemory = false } = options;
  check(activities);
  native().profileStart(activities.includes('cuda'), recordShapes, profileMemory);
  let result: unknown;
  try {
    result = body();
  } catch (error) {
    native().profileStop();
    throw error;
  }
  if (!(result instanceof Promise)) return new Profile(native().profileStop());
  return result.then(
    () => new Profile(native().profileStop()),
    (error) => {
      native().profileStop();
      throw error;
    },
  );
}

/**
 * Runs a synchronous `body` as a named range of the profile, and returns its result. As torch.profiler.record_function.
 */
export function recordFunction<T>(name: string, body: () => T): T {
  checkCall('recordFunction', ['name: text', 'body: function'], undefined, arguments);
  native().rangeBegin(name);
  try {
    const result = body();
    if (!(result instanceof Promise)) return result;
    result.catch(() => {});
    throw new ArgumentError(
      'recordFunction() takes a synchronous function: its range would end before the promise does.',
    );
  } finally {
    native().rangeEnd();
  }
}
