/** A run's whole state in one file: whoever reads it goes on as if nothing had happened, to the bit. */
import { FileError } from '../errors.js';
import { loadSafetensors, saveSafetensors } from '../files/index.js';
import type { EpochRecord } from '../flow.js';
import type { ParameterState } from '../optim/optimizer.js';
import { scope, type Tensor } from '../tensor/index.js';
import { firstNonFinite } from './finite.js';
import { goOnFrom, randomState } from './random.js';
import type { Trainer } from './trainer.js';

const format = 3;

/** What a run remembers besides its tensors. */
export interface Progress {
  /** Of every epoch so far. */
  epochs: EpochRecord[];
  /** The epoch whose student was best, counted from 1. */
  best?: { epoch: number; top1: number };
  /** Steps that were skipped because something was no number. */
  skipped: number;
}

interface Meta {
  format: number;
  /** The options that decide what is computed; another run's checkpoint is refused by them. */
  config: Record<string, unknown>;
  step: number;
  microBatch: number;
  /** Numbers in optimizer state, by parameter and name. */
  numbers: Record<string, Record<string, number>>;
  groups: { lr: number; initialLr?: number }[];
  lastEpoch: number;
  emaUpdates: number;
  scaler?: { scale: number; growthTracker: number };
  meter: { count: number; sums: Record<string, number> };
  progress: Progress;
}

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
    const meta: Meta = {
      format,
      config,
      step: trainer.step,
      microBatch: trainer.microBatch,
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

/** The first weight, statistic, average or optimizer state of a run that holds NaN or Inf. */
export const badState = (trainer: Trainer): string | undefined => scope(() => firstNonFinite(stateOf(trainer).tensors));

/** Everything that a step changes, by its name in the file. */
function stateOf(trainer: Trainer) {
  const tensors: Record<string, Tensor> = {};
  for (const [name, module] of Object.entries(trainer.modules)) add(tensors, `module.${name}`, module.stateDict());
  const { state, paramGroups } = trainer.optimizer.stateDict();
  const numbers: Meta['numbers'] = {};
  for (const [number, kept] of Object.entries(state)) {
    for (const [name, value] of Object.entries(kept)) {
      if (typeof value === 'number') numbers[number] = { ...numbers[number], [name]: value };
      else tensors[`optimizer.${number}.${name}`] = value;
    }
  }
  if (trainer.ema) add(tensors, 'ema', trainer.ema.averagedStateDict());
  return { tensors, numbers, paramGroups };
}

/** Takes over a checkpoint. Throws FileError where it is damaged, or another configuration's. */
export function loadCheckpoint(file: string, trainer: Trainer, config: Record<string, unknown>): Progress {
  return scope(() => {
    const { tensors, metadata } = loadSafetensors(file);
    const meta = JSON.parse(metadata.checkpoint ?? '{}') as Partial<Meta>;
    if (meta.format !== format) throw new FileError(`${file} is no checkpoint that this version can read.`);
    const whole = meta as Meta;
    const others = differences(whole.config, config);
    if (others.length > 0) {
      throw new FileError(
        `${file} was written with other options: ${others.slice(0, 3).join('; ')}.\nResume with the same ones, or choose another --out.`,
      );
    }
    for (const [name, module] of Object.entries(trainer.modules))
      module.loadStateDict(below(tensors, `module.${name}.`));
    const state: Record<string, ParameterState> = {};
    for (const [key, tensor] of Object.entries(below(tensors, 'optimizer.'))) {
      const [number = '', name = ''] = key.split('.');
      state[number] = { ...state[number], [name]: tensor };
    }
    for (const [number, kept] of Object.entries(whole.numbers)) state[number] = { ...state[number], ...kept };
    const { paramGroups } = trainer.optimizer.stateDict();
    trainer.optimizer.loadStateDict({
      state,
      paramGroups: paramGroups.map((group, i) => ({ ...group, ...whole.groups[i] })),
    });
    trainer.schedule.lastEpoch = whole.lastEpoch;
    trainer.ema?.loadStateDict({ updates: whole.emaUpdates, averages: below(tensors, 'ema.') });
    if (whole.scaler) trainer.scaler?.loadStateDict(whole.scaler);
    trainer.meter.load(trainer.ranks?.isFirst === false ? emptied(whole.meter) : whole.meter);
    trainer.step = whole.step;
    trainer.microBatch = Math.min(trainer.microBatch, whole.microBatch);
    goOnFrom(below(tensors, 'generator.'));
    return whole.progress;
  });
}

function add(tensors: Record<string, Tensor>, prefix: string, state: Record<string, Tensor>): void {
  for (const [name, tensor] of Object.entries(state)) tensors[`${prefix}.${name}`] = tensor;
}

/** The tensors whose names begin with `prefix`, without it. */
function below(tensors: Record<string, Tensor>, prefix: string): Record<string, Tensor> {
  const found = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/** Sums of a process that has none of them: another one has all. */
const emptied = ({ sums }: Meta['meter']): Meta['meter'] => ({
  count: 0,
  sums: Object.fromEntries(Object.keys(sums).map((name) => [name, 0])),
});

/** What may change between a run and its continuation: how long it goes on, and how it is kept. */
const free = new Set([
  'timeBudget',
  'checkpointSteps',
  'keepCheckpoints',
  'profile',
  'profileSteps',
  'earlyStop',
  'microBatch',
  'stallWarning',
  'stallLimit',
  'device',
]);

function differences(saved: Record<string, unknown>, now: Record<string, unknown>): string[] {
  const names = [...new Set([...Object.keys(saved), ...Object.keys(now)])].filter((name) => !free.has(name));
  const text = (value: unknown) => JSON.stringify(value) ?? 'nothing';
  return names
    .filter((name) => text(saved[name]) !== text(now[name]))
    .map((name) => `${name} was ${text(saved[name])} and is ${text(now[name])}`);
}
