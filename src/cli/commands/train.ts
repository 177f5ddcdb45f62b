import { type StudentSetup, train } from '../../train/index.js';
import { defineCommand } from '../command.js';
import { withRanks } from '../ranks.js';
import { type SeedOptions, trainAndShow } from '../seeds.js';
import { studentOptions } from './distill.js';

export const trainCommand = defineCommand({
  name: 'train',
  summary: 'train a model on the labels alone, without a teacher',
  configFile: true,
  options: studentOptions,
  examples: ['srrl train --data fashion-mnist:DIR --student resnet8 --epochs 10 --out runs/plain'],
  async run({ json, ui, tensorboard, reporters, seeds, ...rest }) {
    const setup = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const start = (options: SeedOptions) => train({ ...(setup as unknown as StudentSetup), ...options });
    const plan = { command: 'train' as const, json, ui, tensorboard, reporters, seeds, setup };
    await withRanks(rest.device, () => trainAndShow(start, plan));
  },
});
