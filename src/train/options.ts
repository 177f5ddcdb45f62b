import { augmentOptions } from '../data/augment/index.js';
import { remoteOptions } from '../data/remote/options.js';
import { meanOption, stdOption } from '../distill/adapted-teacher.js';
import { grouped, z } from '../options.js';
import { stallOptions } from './patience.js';

const optimization = grouped('optimization', {
  epochs: z.int().min(1).default(60).describe('passes over the training images'),
  batchSize: z.int().min(1).default(64).describe('images a step'),
  microBatch: z
    .int()
    .min(1)
    .optional()
    .describe('images that go through the network at once; gradients are accumulated over a step'),
  optimizer: z.enum(['sgd', 'adamw', 'lion']).default('sgd').describe('optimizer'),
  lr: z.number().positive().default(0.05).describe('learning rate at the start'),
  momentum: z.number().min(0).default(0.9).describe('momentum of SGD'),
  nesterov: z.boolean().default(false).describe('use Nesterov momentum'),
  weightDecay: z.number().min(0).default(5e-4).describe('weight decay (an L2 penalty for SGD)'),
  decayNorms: z
    .boolean()
    .default(true)
    .meta({ off: 'do not apply weight decay to biases and normalizations' })
    .describe('weight decay also on biases and normalizations, as in the CRD protocol'),
  schedule: z.enum(['cosine', 'step', 'constant']).default('cosine').describe('how the learning rate decreases'),
  milestones: z
    .array(z.int().min(1))
    .optional()
    .describe('epochs at which the learning rate is divided by 10; with --schedule step'),
  warmupEpochs: z.int().min(0).default(0).describe('epochs over which the learning rate rises to --lr'),
  labelSmoothing: z.number().min(0).max(1).default(0).describe('label smoothing of the cross-entropy'),
  clipNorm: z.number().positive().optional().describe('clip the gradients to this norm, taken over all of them'),
  ema: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('decay of a moving average of the weights, which is evaluated and saved instead of them'),
  syncBatchNorm: z
    .boolean()
    .default(true)
    .describe('with several processes, batch normalization by the statistics of all of them')
    .meta({ off: 'with several processes, batch normalization uses the statistics of each process alone' }),
});

const device = grouped('device', {
  precision: z
    .enum(['float32', 'bfloat16', 'float16'])
    .default('float32')
    .describe('precision of the forward pass, by autocast'),
  device: z.string().default('cpu').describe('where teacher and student run, such as cuda or cuda:1'),
  deterministic: z
    .boolean()
    .default(false)
    .describe('on a GPU: bit-exact algorithms, or an error if there is none, instead of the fastest ones'),
  recordSteps: z
    .boolean()
    .default(true)
    .meta({ off: 'on a GPU: run each step operator by operator instead of replaying a captured graph' })
    .describe('on a GPU: capture the whole training step in a device graph (a CUDA graph), and replay it'),
  kernels: z
    .enum(['auto', 'plain'])
    .default('auto')
    .describe(
      "on a GPU: auto uses the package's own kernels if they agree with libtorch's operators; plain never does",
    ),
  convolutions: z
    .enum(['fast', 'plain'])
    .default('fast')
    .describe("3x3 convolutions by Winograd's algorithm (fast, errors of 1e-5 instead of 1e-6), or plain"),
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
    .describe("mean of the images per channel, in the scale 0..1, as in 0.485,0.456,0.406; default: the data set's"),
  std: stdOption
    .optional()
    .describe(
      "standard deviation of the images per channel, in the scale 0..1, as in 0.229,0.224,0.225; default: the data set's",
    ),
  trainImages: z
    .int()
    .min(1)
    .optional()
    .describe('number of training images to use, equally many of each class; default: all'),
  validation: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe('share of the training images to hold out for choosing the best epoch'),
  views: z
    .int()
    .min(1)
    .optional()
    .describe('views per image, through which the epochs cycle; default: a new view in each epoch'),
  ...remoteOptions.shape,
});

const run = grouped('run', {
  best: z
    .enum(['last', 'validation', 'test'])
    .optional()
    .describe('epoch whose student is kept; default: validation if images are held out, else last'),
  evaluateEvery: z.int().min(1).default(1).describe('evaluate after every this many epochs, and after the last one'),
  earlyStop: z.int().min(1).optional().describe('stop after this many epochs without a better validation accuracy'),
  timeBudget: z.number().positive().optional().describe('stop after this many minutes, with a checkpoint'),
  onNonFinite: z.enum(['stop', 'skip']).default('stop').describe('what to do when a loss or gradient is NaN or Inf'),
  checkpointSteps: z
    .int()
    .min(0)
    .default(0)
    .describe('steps between checkpoints, in addition to the one of each epoch; 0 for none'),
  keepCheckpoints: z.int().min(1).default(2).describe('number of newest checkpoints to keep'),
  stepMetrics: z
    .int()
    .min(0)
    .default(0)
    .describe('write a row of steps.csv (loss, terms, lr, images/s) every this many steps; 0: never'),
  profile: z
    .string()
    .optional()
    .describe('file for a Chrome trace of a few steps, whose costs are also printed as a table'),
  profileSteps: z.int().min(1).default(5).describe('number of steps that --profile records, after 5 steps of warm-up'),
  ...stallOptions.shape,
  seed: z.int().min(0).default(0).describe('seed of initial weights, order and augmentation'),
  dataSeed: z.int().min(0).optional().describe('seed of held-out images, order and augmentation only; default: --seed'),
});

/** The training options for every method. The defaults suit small images and short runs. */
export const trainOptions = z.strictObject({ ...optimization, ...device, ...data, ...run });

/** The training options, all optional: epochs, batch size, optimizer, schedule, guards. */
export type TrainOptions = z.input<typeof trainOptions>;
export type EffectiveTrainOptions = z.output<typeof trainOptions>;
