import { SRRL, srrlOptions } from '../../distill/methods/srrl.js';
import { Teacher } from '../../distill/teacher.js';
import { z } from '../../options.js';
import { distill, trainOptions } from '../../train/index.js';
import { defineCommand } from '../command.js';
import { interruptSignal, showRun } from '../run.js';

/** What every command that trains a student takes. */
export const studentOptions = z.strictObject({
  data: z.string().describe('data set as kind:path, such as shapes or fashion-mnist:DIR'),
  student: z.string().default('resnet8').describe('model to train'),
  out: z.string().optional().describe('folder for configuration, metrics and weights'),
  overwrite: z.boolean().default(false).describe('replace a run that is in the folder'),
  ...trainOptions.shape,
  json: z.boolean().default(false).describe('events as JSON lines on standard output'),
});

export const distillCommand = defineCommand({
  name: 'distill',
  summary: 'train a student from a TorchScript teacher by SRRL',
  configFile: true,
  options: z.strictObject({
    teacher: z.string().describe('TorchScript file of a classifier'),
    tap: z.string().optional().describe("module path of the teacher's classifier, where it cannot be found by itself"),
    ...studentOptions.shape,
    ...srrlOptions.shape,
  }),
  examples: [
    'srrl distill --data shapes --teacher assets/shapes-teacher.pt --student resnet8 --out runs/a',
    'srrl distill --data cifar100:DIR --teacher wrn_40_2.pt --student resnet8x4 --epochs 240 --schedule step',
  ],
  async run({ teacher: file, tap, json, out, alpha, beta, sr, temperature, connector, ...rest }) {
    const teacher = Teacher.load(file, tap === undefined ? {} : { tap });
    const method = new SRRL({ alpha, beta, sr, temperature, connector });
    await showRun(distill({ teacher, method, signal: interruptSignal(), ...(out !== undefined && { out }), ...rest }), {
      json,
    });
  },
});
