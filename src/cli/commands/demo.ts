import { join } from 'node:path';
import { openDataset } from '../../data/datasets/index.js';
import { SRRL } from '../../distill/srrl.js';
import { Teacher } from '../../distill/teacher.js';
import type { Accuracy } from '../../flow.js';
import { packageRoot } from '../../native.js';
import { z } from '../../options.js';
import { durationText, meanAndSpread, Progress, percent, table } from '../../report/terminal.js';
import { distill, type TrainEvent, train } from '../../train/index.js';
import { defineCommand } from '../command.js';
import { interruptSignal } from '../run.js';

const seeds = [0, 1, 2];
const student = 'resnet8';

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'distil a student on drawn shapes and compare it with one trained alone, over 3 seeds',
  options: z.strictObject({
    epochs: z.int().min(1).default(20).describe('times through the training images'),
    out: z.string().default('runs/demo').describe('folder for the runs'),
    json: z.boolean().default(false).describe('result as JSON on standard output'),
  }),
  examples: ['srrl demo', 'srrl demo --epochs 40'],
  async run({ epochs, out, json }) {
    const began = performance.now();
    const data = await openDataset('shapes');
    const teacher = Teacher.load(join(packageRoot, 'assets/shapes-teacher.pt'));
    const signal = interruptSignal();
    const common = { student, data, epochs, signal, overwrite: true };
    const kinds: Record<string, (seed: number, folder: string) => AsyncIterable<TrainEvent>> = {
      ce: (seed, folder) => train({ ...common, seed, out: folder }),
      srrl: (seed, folder) =>
        distill({ ...common, seed, out: folder, teacher, method: new SRRL({ alpha: 1, beta: 1 }) }),
    };

    let progress: Progress | undefined;
    let teacherAccuracy: Accuracy | undefined;
    const top1: Record<string, number[]> = {};
    const seconds: Record<string, number> = {};
    let runs = 0;
    for (const [kind, start] of Object.entries(kinds)) {
      for (const seed of seeds) {
        for await (const event of start(seed, join(out, `${kind}-seed${seed}`))) {
          if (event.type === 'start') teacherAccuracy ??= event.teacher;
          if (event.type === 'step') {
            progress ??= new Progress(event.steps * seeds.length * 2, 'steps', { quiet: json });
            progress.update(runs * event.steps + event.step, `${kind} seed ${seed}, epoch ${event.epoch}/${epochs}`);
          }
          if (event.type !== 'end') continue;
          top1[kind] = [...(top1[kind] ?? []), event.test.top1];
          seconds[kind] = (seconds[kind] ?? 0) + event.seconds;
          progress?.say(
            `${student}, ${kind === 'ce' ? 'trained alone' : 'distilled by SRRL'}, seed ${seed}: ${percent(event.test.top1)}`,
          );
        }
        runs++;
      }
    }
    progress?.stop();
    const total = (performance.now() - began) / 1000;
    if (json) {
      console.log(JSON.stringify({ teacher: teacherAccuracy, top1, seconds, total, out }));
      return;
    }
    const row = (name: string, kind: string) => {
      const { mean, spread } = meanAndSpread(top1[kind] ?? []);
      return [name, `${percent(mean)} ± ${spread.toFixed(2)}`, durationText(seconds[kind] ?? 0)];
    };
    console.log(
      table(
        [
          `${data.source}: ${data.classes.length} classes, ${data.train.labels.length} training images`,
          `test top-1, ${seeds.length} seeds`,
          'time',
        ],
        [
          ['teacher', percent(teacherAccuracy?.top1 ?? Number.NaN), ''],
          row(`${student} trained alone`, 'ce'),
          row(`${student} distilled by SRRL`, 'srrl'),
        ],
      ),
    );
    console.log(`${durationText(total)} in all; the runs are in ${out}`);
  },
});
