/** The first check of a run started from a program: names and types of all options, before anything is opened. */
import { validate, z } from '../options.js';
import { trainOptions } from './options.js';
import { teacherOptions } from './targets.js';

const textOr = (description: string) =>
  z.custom((value) => typeof value === 'string' || (typeof value === 'object' && value !== null)).describe(description);

const studentSetup = trainOptions.extend({
  student: textOr('the name of a model, such as resnet8, module:FILE, or a Classifier'),
  data: textOr('kind:path, such as shapes or fashion-mnist:DIR, module:FILE, or a Dataset'),
  out: z.string().optional().describe('folder'),
  overwrite: z.boolean().optional(),
  resume: z.boolean().optional(),
  dryRun: z.boolean().optional(),
  reporters: z
    .array(z.custom((value) => typeof (value as { on?: unknown } | null)?.on === 'function'))
    .optional()
    .describe('reporters'),
  signal: z.instanceof(AbortSignal).optional().describe('an AbortSignal'),
});

const distillSetup = studentSetup.extend({
  ...teacherOptions.shape,
  teacher: textOr('a file, such as teacher.pt, model:weights.pth, a run folder, or a Teacher'),
  tap: z.string().optional(),
  method: textOr('a method, such as srrl or kd:temperature=2+at, module:FILE, or a Method').optional(),
  teacherAccuracy: z.object({}).loose().optional(),
});

export type Kind = 'train' | 'distill';

/** Throws ConfigError that names the wrong option of `train()` or `distill()`. */
export function checkSetup(kind: Kind, setup: unknown): void {
  validate(kind === 'train' ? studentSetup : distillSetup, setup, `the training options of ${kind}()`);
}
