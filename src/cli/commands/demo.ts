import { join } from 'node:path';
import type { Dataset } from '../../data/dataset.js';
import { openDataset } from '../../data/datasets/index.js';
import type { Accuracy } from '../../flow.js';
import { packageRoot } from '../../native.js';
import { z } from '../../options.js';
import { pointsText } from '../../report/figures.js';
import { writeReport } from '../../report/index.js';
import { wrap } from '../../report/layout.js';
import { durationText, meanAndSpread, Progress, percent, table } from '../../report/terminal.js';
import { srrlCommand } from '../../shell.js';
import { distill, type KnownAccuracy, knownAccuracy, lockFolders, type TrainEvent, train } from '../../train/index.js';
import { defineCommand } from '../command.js';
import { processes, speaks, withRanks } from '../ranks.js';

const seeds = [0, 1, 2];
const student = 'resnet8';
/** Easy images, which all seeds learn in a minute; with harder ones, the accuracies of short runs vary widely. */
const source = 'shapes:240?level=easy&test=600';
const training = { batchSize: 24, optimizer: 'adamw', lr: 0.003, warmupEpochs: 2, weightDecay: 0.05 } as const;
const kinds = { ce: `${student} trained alone`, srrl: `${student} distilled by SRRL` };
type Kind = keyof typeof kinds;

/** The results of the runs of one kind: top-1 accuracies in percent, and seconds. */
interface Outcome {
  top1: number[];
  seconds: number;
}

interface Comparison {
  teacher?: Accuracy;
  ce: Outcome;
  srrl: Outcome;
}

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'distill a student on synthetic shapes and compare it with one trained alone, over 3 seeds',
  options: z.strictObject({
    epochs: z.int().min(1).default(30).describe('passes over the training images'),
    out: z.string().default('runs/demo').describe('folder for the runs'),
    json: z.boolean().default(false).describe('print the result as JSON'),
  }),
  examples: ['srrl demo', 'srrl demo --epochs 60'],
  async run({ epochs, out, json }) {
    await withRanks('cpu', () => demonstrate(epochs, out, json));
  },
});

async function demonstrate(epochs: number, out: string, json: boolean): Promise<void> {
  const began = performance.now();
  const data = await openDataset(source);
  const release = lockFolders(speaks() ? [out] : []);
  const comparison = await compare(data, epochs, out, json || !speaks()).finally(release);
  if (!speaks()) return;
  const seconds = (performance.now() - began) / 1000;
  const report = writeReport(out);
  if (json) console.log(JSON.stringify({ ...comparison, gain: gainOf(comparison), seconds, out, report }));
  else console.log(`${resultTable(data, comparison)}\n${ending(comparison, { seconds, out, report })}`);
}

/** Rounds a batch size up to a multiple of the number of processes. */
const divisible = (size: number): number => Math.ceil(size / processes()) * processes();

/** Trains every seed of every kind, one after the other, and shows one progress bar for all. */
async function compare(data: Dataset, epochs: number, out: string, quiet: boolean): Promise<Comparison> {
  const teacher = join(packageRoot, 'assets/shapes-teacher.pt');
  const evaluateEvery = Math.max(1, Math.round(epochs / 8));
  const common = {
    student,
    data: data.source,
    epochs,
    overwrite: true,
    evaluateEvery,
    ...training,
    batchSize: divisible(training.batchSize),
  };
  const method = 'srrl:alpha=10,beta=1';
  let known: KnownAccuracy | undefined;
  const start: Record<Kind, (seed: number, folder: string) => AsyncIterable<TrainEvent>> = {
    ce: (seed, folder) => train({ ...common, seed, out: folder }),
    srrl: (seed, folder) =>
      distill({ ...common, seed, out: folder, teacher, method, ...(known && { teacherAccuracy: known }) }),
  };
  const comparison: Comparison = { ce: { top1: [], seconds: 0 }, srrl: { top1: [], seconds: 0 } };
  let progress: Progress | undefined;
  let before = 0;
  try {
    for (const kind of ['ce', 'srrl'] as const) {
      for (const seed of seeds) {
        let steps = 0;
        for await (const event of start[kind](seed, join(out, `${kind}-seed${seed}`))) {
          if (event.type === 'start' && event.teacher) {
            comparison.teacher = event.teacher;
            known = knownAccuracy(event);
          }
          if (event.type === 'step') {
            steps = event.steps;
            progress ??= new Progress(steps * seeds.length * 2, 'steps', { quiet });
            progress.update(before + event.step, `${kinds[kind]}, seed ${seed}, epoch ${event.epoch}/${epochs}`);
          }
          if (event.type !== 'end') continue;
          comparison[kind].top1.push(event.test.top1);
          comparison[kind].seconds += event.seconds;
          progress?.say(`${kinds[kind]}, seed ${seed}: ${percent(event.test.top1)}`);
        }
        before += steps;
      }
    }
  } finally {
    progress?.stop();
  }
  return comparison;
}

/** Percentage points by which the distilled students are better on average. */
const gainOf = ({ ce, srrl }: Comparison): number => meanAndSpread(srrl.top1).mean - meanAndSpread(ce.top1).mean;

function ending(comparison: Comparison, at: { seconds: number; out: string; report: string }): string {
  return [
    wrap(
      `Distillation changed the accuracy by ${pointsText(gainOf(comparison))}, in ${durationText(at.seconds)} for all runs.`,
    ),
    // Paths and commands to copy are never wrapped.
    `Report: ${at.report}`,
    `Next: ${srrlCommand('analyze', join(at.out, `srrl-seed${seeds[0]}`))}`,
  ].join('\n');
}

function resultTable(data: Dataset, comparison: Comparison): string {
  const row = (kind: Kind) => {
    const { top1, seconds } = comparison[kind];
    const { mean, spread } = meanAndSpread(top1);
    return [kinds[kind], `${percent(mean)} ± ${spread.toFixed(2)}`, durationText(seconds)];
  };
  const title = `${data.classes.length} classes, ${data.train.labels.length} training images`;
  return table(
    [title, `test top-1, ${seeds.length} seeds`, 'time'],
    [['teacher', percent(comparison.teacher?.top1 ?? Number.NaN), ''], row('ce'), row('srrl')],
  );
}
