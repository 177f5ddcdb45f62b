import { augmentOptions } from '../data/augment/index.js';
import { remoteOptions } from '../data/remote/options.js';
import { meanOption, stdOption } from '../distill/adapted-teacher.js';
import { grouped, z } from '../options.js';
import { stallOptions } from './patience.js';

const optimization = grouped('optimization', {
  epochs: z.int().min(1).default(60).describe('times through the training images'),
  batchSize: z.int().min(1).default(64).describe('images a step'),
  microBatch: z
    .int()
    .min(1)
    .optional()
    .describe('images that go through the network at once; their gradients are accumulated to a step'),
  optimizer: z.enum(['sgd', 'adamw', 'lion']).default('sgd').describe('optimizer'),
  lr: z.number().positive().default(0.05).describe('learning rate at the start'),
  momentum: z.number().min(0).default(0.9).describe('momentum of SGD'),
  nesterov: z.boolean().default(false).describe("Nesterov's form of momentum"),
  weightDecay: z.number().min(0).default(5e-4).describe('weight decay (an L2 penalty for SGD)'),
  decayNorms: z
    .boolean()
    .default(true)
    .meta({ off: 'no weight decay on biases and normalizations' })
    .describe('weight decay also on biases and normalizations, as in the CRD protocol'),
  schedule: z.enum(['cosine', 'step', 'constant']).default('cosine').describe('how the learning rate falls'),
  milestones: z
    .array(z.int().min(1))
    .optional()
    .describe('epochs at which the rate falls to a tenth; with --schedule step'),
  warmupEpochs: z.int().min(0).default(0).describe('epochs in which the rate grows to its start'),
  labelSmoothing: z.number().min(0).max(1).default(0).describe('of the cross-entropy with the labels'),
  clipNorm: z.number().positive().optional().describe('largest norm of all gradients together'),
  ema: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('decay of a moving average of the weights, which is then evaluated and saved'),
  syncBatchNorm: z
    .boolean()
    .default(true)
    .describe('with several processes, batch normalization by the statistics of all of them')
    .meta({ off: 'with several processes, batch normalization by the statistics of each' }),
});

const device = grouped('device', {
  precision: z.enum(['float32', 'bfloat16', 'float16']).default('float32').describe('of the forward, by autocast'),
  device: z.string().default('cpu').describe('where teacher and student run, such as cuda or cuda:1'),
  deterministic: z
    .boolean()
    .default(false)
    .describe('on a GPU: the same bits each time, or an error, instead of the fastest algorithms'),
  recordSteps: z
    .boolean()
    .default(true)
    .meta({ off: 'on a GPU: run every step operator by operator instead of from a captured graph' })
    .describe('on a GPU: capture the whole training step in a device graph (a CUDA graph), and replay it'),
  kernels: z
    .enum(['auto', 'plain'])
    .default('auto')
    .describe("on a GPU: the package's own kernels where they agree with libtorch's operators, or those alone"),
  convolutions: z
    .enum(['fast', 'plain'])
    .default('fast')
    .describe("3x3 convolutions by Winograd's filtering (errors of 1e-5 instead of 1e-6), or plain"),
});

const data = grouped('data', {
  augment: z
    .boolean()
    .default(true)
    .meta({ off: 'no random crops and flips' })
    .describe('random crops and flips as the data set says'),
  augmentation: augmentOptions.optional().describe('what is done to training images instead, in a file or a program'),
  mean: meanOption
    .optional()
    .describe("of the images, per channel in the scale 0..1, as in 0.485,0.456,0.406; default the data set's"),
  std: stdOption
    .optional()
    .describe("of the images, per channel in the scale 0..1, as in 0.229,0.224,0.225; default the data set's"),
  trainImages: z.int().min(1).optional().describe('training images to use, equally many of each class; default all'),
  validation: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe('share of the training images that is held out to choose the best epoch'),
  views: z
    .int()
    .min(1)
    .optional()
    .describe('views an image has, through which epochs cycle; default a new one each epoch'),
  ...remoteOptions.shape,
});

const run = grouped('run', {
  best: z
    .enum(['last', 'validation', 'test'])
    .optional()
    .describe('epoch whose student is kept; default validation where images are held out, else last'),
  evaluateEvery: z
    .int()
    .min(1)
    .default(1)
    .describe('epochs from one evaluation to the next; the last epoch is always evaluated'),
  earlyStop: z.int().min(1).optional().describe('epochs without a better validation accuracy after which to stop'),
  timeBudget: z.number().positive().optional().describe('minutes after which to stop'),
  onNonFinite: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe('what to do with a step whose loss or gradient has NaN or Inf'),
  checkpointSteps: z
    .int()
    .min(0)
    .default(0)
    .describe('steps between checkpoints, in addition to the one of each epoch; 0 for none'),
  keepCheckpoints: z.int().min(1).default(2).describe('newest checkpoints that are kept'),
  stepMetrics: z
    .int()
    .min(0)
    .default(0)
    .describe('steps from one row of steps.csv (loss, terms, lr, images/s) to the next; 0 writes none'),
  profile: z.string().optional().describe('file for a Chrome trace of a few steps; their costs are printed as a table'),
  profileSteps: z.int().min(1).default(5).describe('steps that --profile records, after 5 steps of warm-up'),
  ...stallOptions.shape,
  seed: z.int().min(0).default(0).describe('of initial weights, order and augmentation'),
  dataSeed: z.int().min(0).optional().describe('of held-out images, order and augmentation alone; default the seed'),
});

/** How a student is trained, whatever the method. The defaults suit small images and short runs. */
export const trainOptions = z.strictObject({ ...optimization, ...device, ...data, ...run });

/** How a student is trained, with every option a default: epochs, batch size, optimizer, schedule, guards. */
export type TrainOptions = z.input<typeof trainOptions>;
export type EffectiveTrainOptions = z.output<typeof trainOptions>;
