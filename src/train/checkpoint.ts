/** A run's whole state in one file: a run resumed from it computes what the uninterrupted run would. */
import { FileError, messageOf } from '../errors.js';
import { saveSafetensors } from '../files/index.js';
import type { ParameterState } from '../optim/state.js';
import { scope, type Tensor } from '../tensor/index.js';
import { type CheckpointMeta, format, type Progress, readCheckpoint } from './checkpoint-file.js';
import { firstNonFinite } from './finite.js';
import { goOnFrom, randomState } from './random.js';
import type { Trainer } from './trainer.js';

export function saveCheckpoint(
  file: string,
  trainer: Trainer,
  progress: Progress,
  config: Record<string, unknown>,
  meter = trainer.meter.state(),
): void {
  scope(() => {
    const { tensors, numbers, paramGroups } = stateOf(trainer);
    add(tensors, 'generator', randomState(trainer.setup.options.device));
    const meta: CheckpointMeta = {
      format,
      config,
      step: trainer.step,
      microBatch: trainer.microBatch,
      tensors: Object.keys(tensors),
      numbers,
      groups: paramGroups.map(({ lr, initialLr }) => ({ lr, ...(initialLr !== undefined && { initialLr }) })),
      lastEpoch: trainer.schedule.lastEpoch,
      emaUpdates: trainer.ema?.updates ?? 0,
      ...(trainer.scaler && { scaler: trainer.scaler.stateDict() }),
      meter,
      progress,
    };
    saveSafetensors(file, tensors, { checkpoint: JSON.stringify(meta) });
  });
}

/** Returns the name of the first weight, statistic, average or optimizer state that holds NaN or Inf. */
export const badState = (trainer: Trainer): string | undefined => scope(() => firstNonFinite(stateOf(trainer).tensors));

/** Returns everything that a step changes, by its name in the file. */
function stateOf(trainer: Trainer) {
  const tensors: Record<string, Tensor> = {};
  for (const [name, module] of Object.entries(trainer.modules)) add(tensors, `module.${name}`, module.stateDict());
  const { state, paramGroups } = trainer.optimizer.stateDict();
  const numbers: CheckpointMeta['numbers'] = {};
  for (const [number, kept] of Object.entries(state)) {
    for (const [name, value] of Object.entries(kept)) {
      if (typeof value === 'number') numbers[number] = { ...numbers[number], [name]: value };
      else tensors[`optimizer.${number}.${name}`] = value;
    }
  }
  if (trainer.ema) add(tensors, 'ema', trainer.ema.averagedStateDict());
  return { tensors, numbers, paramGroups };
}

/**
 * Loads a checkpoint into the trainer. Throws FileError if it is damaged, {@link OtherRun} if it was written with
 * other options. After an error the trainer may be partly changed.
 */
export function loadCheckpoint(file: string, trainer: Trainer, config: Record<string, unknown>): Progress {
  return scope(() => {
    const { meta, tensors } = readCheckpoint(file);
    const others = differences(meta.config, config);
    if (others.length > 0)
      throw new OtherRun(
        `${file} was written with other options: ${others.slice(0, 3).join('; ')}.\nResume with the same ones, or choose another --out.`,
      );
    checkProgress(file, meta, trainer);
    try {
      takeOver(meta, tensors, trainer);
    } catch (error) {
      throw new FileError(`${file} is damaged: ${messageOf(error)}`, { cause: error });
    }
    return meta.progress;
  });
}

/** Thrown for an intact checkpoint of a run with other options: an older checkpoint would not help. */
export class OtherRun extends FileError {
  override name = 'FileError';
}

/** Throws FileError if the numbers of a checkpoint contradict each other or the run. */
function checkProgress(file: string, meta: CheckpointMeta, { stepsPerEpoch, setup, optimizer }: Trainer): void {
  const { step, lastEpoch, groups, progress } = meta;
  const refuse = (what: string) => {
    throw new FileError(`${file} is damaged: ${what}.`);
  };
  const steps = setup.options.epochs * stepsPerEpoch;
  if (step > steps) refuse(`it is of step ${step}, and the run has ${steps} steps`);
  const done = Math.floor(step / stepsPerEpoch);
  if (progress.epochs.length !== done || lastEpoch !== done)
    refuse(
      `after step ${step}, ${done} epochs are complete, and it has records of ${progress.epochs.length} and the learning rate of ${lastEpoch}`,
    );
  const order = progress.epochs.findIndex(({ epoch }, i) => epoch !== i + 1);
  if (order >= 0) refuse(`its record of epoch ${order + 1} is missing`);
  if ((progress.best?.epoch ?? 0) > done) refuse('its best epoch is not complete');
  if (groups.length !== optimizer.paramGroups.length)
    refuse(`it has ${groups.length} groups of parameters, the optimizer has ${optimizer.paramGroups.length}`);
}

function takeOver(meta: CheckpointMeta, tensors: Record<string, Tensor>, trainer: Trainer): void {
  for (const [name, module] of Object.entries(trainer.modules)) module.loadStateDict(below(tensors, `module.${name}.`));
  const state: Record<string, ParameterState> = {};
  for (const [key, tensor] of Object.entries(below(tensors, 'optimizer.'))) {
    const [number = '', name = ''] = key.split('.');
    state[number] = { ...state[number], [name]: tensor };
  }
  for (const [number, kept] of Object.entries(meta.numbers)) state[number] = { ...state[number], ...kept };
  checkState(state, trainer);
  const { paramGroups } = trainer.optimizer.stateDict();
  trainer.optimizer.loadStateDict({
    state,
    paramGroups: paramGroups.map((group, i) => ({ ...group, ...meta.groups[i] })),
  });
  trainer.schedule.lastEpoch = meta.lastEpoch;
  trainer.ema?.loadStateDict({ updates: meta.emaUpdates, averages: below(tensors, 'ema.') });
  if (meta.scaler) trainer.scaler?.loadStateDict(meta.scaler);
  // Only the first process loads the sums.
  trainer.meter.load(trainer.ranks?.isFirst === false ? emptied(meta.meter) : meta.meter);
  trainer.step = meta.step;
  trainer.microBatch = Math.min(trainer.microBatch, meta.microBatch);
  const generators = below(tensors, 'generator.');
  if (!generators.cpu) throw new FileError('the state of the generator of random numbers is missing.');
  goOnFrom(generators);
}

/** Momentum and averages have the memory layout of their parameters: with another size, reads would pass the end. */
function checkState(state: Record<string, ParameterState>, { optimizer }: Trainer): void {
  const params = optimizer.paramGroups.flatMap((group) => group.params);
  for (const [number, kept] of Object.entries(state))
    for (const [name, value] of Object.entries(kept)) {
      const wanted = name === 'step' ? '' : params[Number(number)]?.shape.join();
      if (typeof value !== 'number' && value.shape.join() !== wanted)
        throw new FileError(`${name} of parameter ${number} has shape [${value.shape}], not [${wanted}].`);
    }
}

function add(tensors: Record<string, Tensor>, prefix: string, state: Record<string, Tensor>): void {
  for (const [name, tensor] of Object.entries(state)) tensors[`${prefix}.${name}`] = tensor;
}

/** Returns the tensors whose names begin with `prefix`, by their names without it. */
function below(tensors: Record<string, Tensor>, prefix: string): Record<string, Tensor> {
  const found = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/** The same sums, all zero: the first process alone keeps the values. */
const emptied = ({ sums }: CheckpointMeta['meter']): CheckpointMeta['meter'] => ({
  count: 0,
  sums: Object.fromEntries(Object.keys(sums).map((name) => [name, 0])),
});

/** The options that may change when a run is resumed: how long it runs, and how it is saved. */
const free = new Set([
  'timeBudget',
  'checkpointSteps',
  'keepCheckpoints',
  'profile',
  'stepMetrics',
  'profileSteps',
  'earlyStop',
  'microBatch',
  'stallWarning',
  'stallLimit',
  'shardCache',
  'shardCacheSize',
  'shardTimeout',
  'shardRetries',
  'device',
]);

function differences(saved: Record<string, unknown>, now: Record<string, unknown>): string[] {
  const names = [...new Set([...Object.keys(saved), ...Object.keys(now)])].filter((name) => !free.has(name));
  const text = (value: unknown) => JSON.stringify(value) ?? 'nothing';
  return names
    .filter((name) => text(saved[name]) !== text(now[name]))
    .map((name) => `${name} was ${text(saved[name])} and is ${text(now[name])}`);
}
