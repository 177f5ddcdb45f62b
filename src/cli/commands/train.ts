import { train } from '../../train/index.js';
import { defineCommand } from '../command.js';
import { interruptSignal, showRun } from '../run.js';
import { studentOptions } from './distill.js';

export const trainCommand = defineCommand({
  name: 'train',
  summary: 'train a model on the labels alone, without a teacher',
  configFile: true,
  options: studentOptions,
  examples: ['srrl train --data fashion-mnist:DIR --student resnet8 --epochs 10 --out runs/plain'],
  async run({ json, out, ...rest }) {
    await showRun(train({ signal: interruptSignal(), ...(out !== undefined && { out }), ...rest }), { json });
  },
});
