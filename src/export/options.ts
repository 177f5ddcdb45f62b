/** The options of an export. */
import { z } from '../options.js';

/** Options that change the content of a file; each format lists those that it supports. */
export const fileOptions = z.strictObject({
  withPreprocessing: z
    .boolean()
    .default(false)
    .describe('take uint8 images [N, H, W, C], normalize them inside, return probabilities'),
  fold: z.boolean().default(false).describe('fold batch normalizations into the convolutions before them'),
  half: z.boolean().default(false).describe('weights and arithmetic in float16'),
  int8: z.boolean().default(false).describe('8-bit weights and activations, calibrated on training images'),
  opset: z.int().min(17).max(22).default(17).describe('version of the ONNX operators'),
  batch: z
    .string()
    .regex(/^(dynamic|[1-9]\d{0,5})$/)
    .default('dynamic')
    .describe('images that the network takes at once: dynamic for any number, or a fixed number'),
});

export type FileOptions = z.output<typeof fileOptions>;
export type FileOption = keyof FileOptions;

export const exportOptions = fileOptions.extend({
  data: z
    .string()
    .optional()
    .describe('data set as kind:path for calibration and verification; default: that of the run'),
  images: z
    .int()
    .min(1)
    .max(100_000)
    .default(128)
    .describe('test images on which the file is compared with the student'),
  tolerance: z
    .number()
    .positive()
    .optional()
    .describe(
      'largest difference of a logit, relative to the largest logit where that is above 1; default 1e-4, with --half 2e-2',
    ),
  calibration: z.int().min(1).max(100_000).default(512).describe('training images that --int8 measures ranges on'),
  maxLoss: z.number().min(0).max(100).default(1).describe('points of top-1 that --int8 may lose'),
  force: z.boolean().default(false).describe('write the file even if --int8 loses more'),
  overwrite: z.boolean().default(false).describe('replace a folder that is not empty'),
});

/** Options of exportStudent: the content of the file, and its comparison with the student. */
export type ExportOptions = z.input<typeof exportOptions>;
