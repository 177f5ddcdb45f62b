/** Several students side by side: the same views, and one pass through the teacher for all of them. */
import { isDeepStrictEqual } from 'node:util';
import { preprocessingOf } from '../distill/adapted-teacher.js';
import { Teacher } from '../distill/teacher.js';
import { ConfigError } from '../errors.js';
import { native } from '../native.js';
import { deviceNamed } from '../tensor/index.js';
import { Control } from './control.js';
import type { CompanyEvent, TrainEvent } from './events.js';
import { type KnownAccuracy, knownAccuracy } from './known-accuracy.js';
import { opening } from './opening.js';
import { stallOptions } from './patience.js';
import { disposeState, goOnFrom, keptState, type RandomState } from './random.js';
import { intactSteps } from './resume.js';
import { run } from './run.js';
import type { DistillSetup } from './setup.js';
import { SharedPass } from './shared-pass.js';

/** An event, with the name of its student. */
export type TogetherEvent = TrainEvent & { student: string };

/** The options that decide views and targets, and must be the same for all students. */
const common = [
  'teacher',
  'tap',
  'data',
  'batchSize',
  'views',
  'augment',
  'augmentation',
  'trainImages',
  'validation',
  'precision',
  'device',
  'accelerate',
  'teacherCache',
  'cacheDtype',
  'checkCache',
] as const;

/** Throws ConfigError if the students cannot share views and teacher. */
export function checkTogether(setups: Record<string, DistillSetup>): void {
  const [[firstName = '', first] = [], ...others] = Object.entries(setups);
  if (!first) throw new ConfigError('There is no student to train.');
  if (Object.values(setups).some(({ profile }) => profile !== undefined))
    throw new ConfigError('--profile records one run. Train the students one after the other to profile one of them.');
  for (const [name, setup] of others) {
    const other = common.find((option) => !isDeepStrictEqual(setup[option], first[option]));
    if (other === undefined) continue;
    throw new ConfigError(
      `Students that are trained together see the same images and teacher: ${other} of ${name} is not that of ${firstName}.\nTrain them one after the other.`,
    );
  }
}

interface Member {
  student: string;
  setup: DistillSetup;
  device: string;
  events?: AsyncGenerator<CompanyEvent, void>;
  /** The type of its last event. */
  said?: CompanyEvent['type'] | undefined;
  /** The state of this student's random generators, so that it gets the same numbers as alone. */
  random?: RandomState | undefined;
}

/**
 * Trains the students step by step: in turn, or on a device all at once. Each has its own weights, method, optimizer,
 * folder and random numbers. Each result is bitwise identical to that of training alone with the same `dataSeed`.
 */
export async function* runTogether(
  setups: Record<string, DistillSetup>,
  control: Control,
): AsyncGenerator<TogetherEvent, void> {
  checkTogether(setups);
  const first = Object.values(setups)[0] as DistillSetup;
  const { teacher: wanted, data: source, tap, seed = 0, teacherCache, teacherMean, teacherStd, teacherSize } = first;
  const device = deviceNamed(first.device ?? 'cpu');
  // Cached features are those of seed 0, unless another dataSeed is given.
  const { dataSeed = teacherCache === undefined ? seed : 0 } = first;
  const resumeAt = commonStep(setups);
  const { stallWarning } = stallOptions.parse({ stallWarning: first.stallWarning });
  const data = yield* said(opening(source, { ...first, stallWarning }, control), Object.keys(setups)[0] as string);
  const teacher =
    typeof wanted === 'string'
      ? await Teacher.load(wanted, {
          device,
          ...(tap !== undefined && { tap }),
          ...preprocessingOf({ mean: teacherMean, std: teacherStd, size: teacherSize }),
        })
      : wanted;
  // The teacher has these options already.
  const taken = typeof wanted === 'string' && { teacherMean: undefined, teacherStd: undefined, teacherSize: undefined };
  const pass = new SharedPass();
  // Students free and request the same large blocks in turn; otherwise their pages would be allocated again each time.
  native().keepFreedMemory();
  let members: Member[] = Object.entries(setups).map(([student, setup]) => ({
    student,
    device,
    setup: { dataSeed, ...setup, ...taken, data, teacher },
  }));
  // Students are paused and stopped between rounds, so that all have done the same steps.
  const inner = new Control(control.signal);
  // The first student evaluates the teacher for all.
  let teacherAccuracy: KnownAccuracy | undefined;
  const begin = (setup: DistillSetup) =>
    run({ ...setup, ...(teacherAccuracy && { teacherAccuracy }) }, inner, {
      pass,
      ...(resumeAt !== undefined && { resumeAt }),
    });
  try {
    while (members.length > 0) {
      await control.pass();
      if (control.stopping) inner.stop();
      for (const member of members) {
        member.events ??= begin(member.setup);
        for await (const event of turn(member)) {
          if (event.type === 'start') teacherAccuracy ??= knownAccuracy(event);
          yield event;
        }
      }
      // On a device all students wait before their step, which one graph may do for all of them.
      const waiting = members.filter(({ said }) => said === 'ready');
      if (waiting.length > 0) pass.step();
      for (const member of waiting) yield* turn(member);
      members = members.filter(({ said }) => said === 'step');
    }
  } finally {
    for (const { events, random } of members) {
      await events?.return();
      if (random) disposeState(random);
    }
    pass.dispose();
    if (typeof wanted === 'string') teacher.dispose();
  }
}

/** Yields events with the name of a student. */
async function* said<T>(events: AsyncGenerator<TrainEvent, T>, student: string): AsyncGenerator<TogetherEvent, T> {
  for (;;) {
    const { value, done } = await events.next();
    if (done) return value;
    yield { ...value, student };
  }
}

/** Yields a student's events until its next step is ready or done, or until it ends. */
async function* turn(member: Member): AsyncGenerator<TogetherEvent> {
  const { events, student, device } = member;
  member.said = undefined;
  if (member.random) goOnFrom(member.random);
  for (;;) {
    const result = await events?.next();
    const event = result?.done ? undefined : result?.value;
    const stands = event?.type === 'step' || event?.type === 'ready';
    if (stands || !event) {
      if (member.random) disposeState(member.random);
      member.random = stands ? keptState(device) : undefined;
    }
    if (!event) return;
    member.said = event.type;
    if (event.type !== 'ready') yield { ...event, student };
    if (stands) return;
  }
}

/**
 * Returns the newest step from which all students can resume; undefined if there are no checkpoints. If a run was
 * killed between two saves, some students are further than others.
 */
function commonStep(setups: Record<string, DistillSetup>): number | undefined {
  const resumed = Object.entries(setups).filter(([, { out, resume }]) => out !== undefined && resume);
  const steps = resumed.map(([, { out }]) => intactSteps(out as string));
  if (steps.every((found) => found.length === 0)) return undefined;
  const shared = (steps[0] ?? []).filter((step) => steps.every((found) => found.includes(step)));
  const newest = Math.max(...shared);
  if (shared.length > 0 && resumed.length === Object.keys(setups).length) return newest;
  throw new ConfigError(
    `The students have no checkpoint of the same step to continue from (${resumed.map(([name], i) => `${name}: ${steps[i]?.join(', ') || 'none'}`).join('; ')}).\nResume them one by one with the same --data-seed, or start again with --overwrite.`,
  );
}
