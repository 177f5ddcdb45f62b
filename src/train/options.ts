import { z } from '../options.js';

/** How a student is trained, whatever the method. The defaults suit small images and short runs. */
export const trainOptions = z.strictObject({
  epochs: z.int().min(1).default(60).describe('times through the training images'),
  batchSize: z.int().min(1).default(64).describe('images a step'),
  lr: z.number().positive().default(0.05).describe('learning rate at the start'),
  momentum: z.number().min(0).default(0.9).describe('momentum of SGD'),
  nesterov: z.boolean().default(false).describe("Nesterov's form of momentum"),
  weightDecay: z.number().min(0).default(5e-4).describe('L2 penalty on all parameters'),
  schedule: z.enum(['cosine', 'step', 'constant']).default('cosine').describe('how the learning rate falls'),
  milestones: z
    .array(z.int().min(1))
    .optional()
    .describe('epochs at which the rate falls to a tenth; with --schedule step'),
  augment: z.boolean().default(true).describe('random crops and flips as the data set says'),
  seed: z.int().min(0).default(0).describe('of initial weights, order and augmentation'),
});

export type TrainOptions = z.input<typeof trainOptions>;
export type EffectiveTrainOptions = z.output<typeof trainOptions>;
