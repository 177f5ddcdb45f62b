/**
 * The training loop: epochs of steps, and the evaluations between them. Its state is in the trainer.
 */
import { Loader } from '../data/loader.js';
import { DivergenceError } from '../errors.js';
import type { Accuracy, EpochRecord } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { scope, type Tensor } from '../tensor/index.js';
import { withAverages } from './averages.js';
import { badState } from './checkpoint.js';
import type { Progress } from './checkpoint-file.js';
import type { Control } from './control.js';
import type { NonFinite } from './device-steps.js';
import type { EpochClock } from './epoch-clock.js';
import { breathe, evaluationBatchSize, scored } from './evaluate.js';
import type { CompanyEvent, StallEvent, TrainEvent } from './events.js';
import { patiently } from './patience.js';
import { RepeatedScores, Scores } from './scores.js';
import type { StepProfile } from './step-profile.js';
import { StepProgress } from './step-progress.js';
import type { Trainer } from './trainer.js';

export interface LoopSetup {
  trainer: Trainer;
  progress: Progress;
  clock: EpochClock;
  control: Control;
  /** Writes a checkpoint. Returns its file, or undefined if nothing is written. */
  save: () => string | undefined;
  /** Writes the student as the last, or as the best so far, with its measurements. */
  keep: (which: 'last' | 'best', epoch: EpochRecord) => void;
  profile?: StepProfile | undefined;
}

export type Ending = 'asked' | 'time budget' | 'early stop' | undefined;

/** Yields events; returns why the run ended before the last epoch. */
export async function* trainingLoop(setup: LoopSetup): AsyncGenerator<CompanyEvent, Ending> {
  const { trainer, clock, control, save } = setup;
  const { options } = trainer.setup;
  const { epochs, timeBudget, checkpointSteps, evaluateEvery } = options;
  const began = performance.now();
  const evaluated = evaluatedSplits(trainer);
  const progress = new StepProgress(trainer);
  try {
    while (trainer.epoch < epochs) {
      const epoch = trainer.epoch + 1;
      const lr = rateOf(trainer);
      clock.begin();
      trainer.beginEpoch();
      progress.begin();
      while (trainer.step < epoch * trainer.stepsPerEpoch) {
        await control.pass();
        const late = timeBudget !== undefined && performance.now() - began > timeBudget * 60_000;
        const [stopping = false, over = false] = trainer.agreed([control.stopping, late]);
        if (stopping || over) {
          if (setup.profile) yield* setup.profile.end(trainer.step);
          yield* judged(setup, trainer.look());
          yield* saved(setup);
          return over ? 'time budget' : 'asked';
        }
        setup.profile?.before(trainer.step + 1);
        yield* step(setup, epoch, progress);
        if (setup.profile) yield* setup.profile.after(trainer.step);
        const due = checkpointSteps > 0 && trainer.step % checkpointSteps === 0;
        if (due && trainer.step % trainer.stepsPerEpoch !== 0) {
          yield* judged(setup, trainer.look());
          yield* saved(setup);
        }
      }
      refuseBadState(setup);
      trainer.endEpoch();
      const seconds = clock.end();
      const { loss, terms, top1 } = trainer.meter.read();
      const speed = { imagesPerSecond: trainer.setup.data.train.labels.length / seconds, seconds };
      const record = yield* withAverages(trainer, async function* () {
        const due = epoch % evaluateEvery === 0 || epoch === epochs;
        const accuracies: Partial<Record<'test' | 'validation', Accuracy>> = due
          ? yield* measure(trainer, evaluated, control)
          : {};
        const bad = accuracies.test?.nonFinite ?? accuracies.validation?.nonFinite;
        if (bad && options.onNonFinite === 'stop')
          throw new DivergenceError(trainer.step, `the student's output for ${bad} images`);
        const train = { loss, terms, ...(top1 !== undefined && { trainTop1: top1 }) };
        const measured: EpochRecord = { epoch, epochs, lr, ...train, ...accuracies, ...speed };
        remember(setup, measured);
        return measured;
      });
      save();
      yield { type: 'epoch', ...record };
      if (record.test && overdue(setup, epoch)) return 'early stop';
    }
    return undefined;
  } finally {
    for (const { scores, loader } of evaluated) {
      scores.dispose();
      loader.dispose();
    }
  }
}

async function* step(setup: LoopSetup, epoch: number, progress: StepProgress): AsyncGenerator<CompanyEvent> {
  const { trainer, control, save } = setup;
  const { options } = trainer.setup;
  const checkedSave = () => {
    stopAt(setup, trainer.look()[0]);
    refuseBadState(setup);
    return save();
  };
  // With several processes, none may end or save alone.
  const patience = trainer.ranks ? options : { ...options, signal: control.ending, save: checkedSave };
  yield* patiently(trainer.loader, trainer.step % trainer.stepsPerEpoch, patience);
  if (control.stopping && !trainer.ranks) return;
  if (trainer.arrive()) {
    yield { type: 'ready' };
    const reason = trainer.setup.pass?.steps.takeNotice();
    if (reason !== undefined)
      yield { type: 'notice', message: `each student's step is captured in a device graph of its own: ${reason}` };
  }
  const { seen } = trainer;
  const outcome = scope(() => trainer.runStep());
  if (outcome.microBatch !== undefined)
    yield { type: 'notice', message: `out of memory: from now on ${outcome.microBatch} images go through at once` };
  if (outcome.unrecorded !== undefined)
    yield {
      type: 'notice',
      message: `steps are not captured in a device graph but run operator by operator: ${outcome.unrecorded}`,
    };
  for (const message of outcome.notices ?? []) yield { type: 'notice', message };
  yield* judged(setup, outcome.nonFinite ?? []);
  if (trainer.step % trainer.stepsPerEpoch === 0) yield* judged(setup, trainer.look());
  const steps = options.epochs * trainer.stepsPerEpoch;
  // With captured steps, reports the newest one that is known to be finite; with several students, every step. Means
  // are read only when the host has already waited for the device.
  const done = trainer.setup.pass ? trainer.step : trainer.seen;
  const means = trainer.seen === trainer.step ? progress.read() : undefined;
  if (done > seen || trainer.setup.pass)
    yield { type: 'step', step: done, steps, epoch, epochs: options.epochs, ...means };
  await breathe();
}

/** Reports the steps skipped because of NaN or Inf, or ends the run at the first of them. */
function* judged(setup: LoopSetup, found: readonly NonFinite[]): Generator<TrainEvent> {
  const { trainer, progress } = setup;
  if (trainer.setup.options.onNonFinite === 'stop') stopAt(setup, found[0]);
  for (const { step: number, what } of found) {
    progress.skipped++;
    yield { type: 'notice', message: `step ${number} was skipped: ${what} is NaN or Inf` };
  }
}

function stopAt(setup: LoopSetup, bad: NonFinite | undefined): void {
  const { trainer, save } = setup;
  if (!bad || trainer.setup.options.onNonFinite !== 'stop') return;
  trainer.step = bad.step - 1;
  // The previous update may have put NaN or Inf into the weights.
  refuseBadState(setup);
  throw new DivergenceError(bad.step, bad.what, save());
}

/** Ends the run before NaN or Inf is saved; earlier checkpoints stay. */
function refuseBadState({ trainer }: LoopSetup): void {
  const bad = badState(trainer);
  if (bad !== undefined) throw new DivergenceError(trainer.step, bad.replace(/^module\./, ''));
}

function* saved(setup: LoopSetup): Generator<TrainEvent> {
  refuseBadState(setup);
  const { trainer, save } = setup;
  const file = save();
  if (file !== undefined) yield { type: 'checkpoint', step: trainer.step, file };
}

/** A split that the student is evaluated on. */
interface Evaluated {
  split: 'test' | 'validation';
  network: Classifier;
  loader: Loader;
  scores: Scores;
}

function evaluatedSplits(trainer: Trainer): Evaluated[] {
  const { data, options } = trainer.setup;
  const { device, recordSteps } = options;
  // One network for all evaluations, so that it is captured once.
  const network = trainer.deployed();
  const logits = (images: Tensor) => network.forward(images);
  return (['test', 'validation'] as const).flatMap((split) => {
    const set = data[split];
    if (!set) return [];
    const shared = trainer.ranks?.evaluating(set.labels.length);
    const loader = new Loader(data, split, { batchSize: evaluationBatchSize, device, ...shared });
    const scores = recordSteps ? new RepeatedScores(loader, logits, trainer.graphs) : new Scores(loader, logits);
    return [{ split, network, loader, scores }];
  });
}

async function* measure(
  trainer: Trainer,
  evaluated: readonly Evaluated[],
  { signal }: Control,
): AsyncGenerator<StallEvent, { test: Accuracy; validation?: Accuracy }> {
  const found: Record<string, Accuracy> = {};
  for (const { split, network, loader, scores } of evaluated) {
    network.eval();
    found[split] = yield* scored(scores, loader, { ...trainer.setup.options, signal });
  }
  return found as { test: Accuracy; validation?: Accuracy };
}

const rateOf = ({ optimizer }: Trainer): number => optimizer.paramGroups[0]?.lr ?? Number.NaN;

/** Returns what decides which epoch is kept: the last, or the best accuracy on a split. */
export const chosenBy = ({ setup: { options } }: Trainer): 'last' | 'validation' | 'test' =>
  options.best ?? (options.validation > 0 ? 'validation' : 'last');

/** Records an epoch and writes its student, while the weights are the evaluated ones. */
function remember({ trainer, progress, keep }: LoopSetup, record: EpochRecord): void {
  progress.epochs.push(record);
  keep('last', record);
  const by = chosenBy(trainer);
  const top1 = by === 'last' ? undefined : record[by]?.top1;
  if (top1 === undefined || (progress.best && progress.best.top1 >= top1)) return;
  progress.best = { epoch: record.epoch, top1 };
  keep('best', record);
}

function overdue({ trainer, progress }: LoopSetup, epoch: number): boolean {
  const { earlyStop, epochs } = trainer.setup.options;
  if (earlyStop === undefined || epoch === epochs) return false;
  return epoch - (progress.best?.epoch ?? epoch) >= earlyStop;
}
