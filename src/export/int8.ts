/** Calibrates quantization with training images, and checks the remaining accuracy. */
import { ConfigError, ExportError } from '../errors.js';
import { noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { QuantizationRecord } from './card.js';
import type { Network, Runtime } from './format.js';
import { onnxGraph } from './onnx/convert.js';
import { quantizedValues } from './onnx/quantize.js';
import { forEachBatch, type Source } from './source.js';
import { scriptOf } from './torchscript.js';
import { expected } from './verify.js';

const batchSize = 32;
/** The fewest test images: one of them counts less than a tenth of a percentage point. */
const fewestImages = 2000;

/**
 * Returns the range of each quantized value: the smallest and largest number of each batch of training images, averaged
 * over batches, so that one unusual image does not widen all steps.
 */
export async function calibrated(
  network: Network,
  { data, withoutData }: Source,
  { calibration }: { calibration: number },
): Promise<ReadonlyMap<string, readonly [number, number]>> {
  if (!data)
    throw new ConfigError(
      `int8 measures ranges on training images, and there are none (${withoutData ?? 'no data set was given'}). Give the data set: --data kind:path.`,
    );
  const names = quantizedValues(onnxGraph(network.graph, network.options.opset));
  const taps = scriptOf({ ...network.graph, outputs: names });
  const sums = new Float64Array(2 * names.length);
  let batches = 0;
  try {
    await forEachBatch(data, 'train', { count: calibration, batchSize }, ({ images }) => {
      scope(() => {
        const values = noGrad(() => [taps.forward(expected(network, images).input)].flat()) as Tensor[];
        const ranges = torch.stack(values.flatMap((value) => [value.min(), value.max()])).toTypedArray();
        for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + Number(ranges[i]);
      });
      batches++;
    });
  } finally {
    taps.dispose();
  }
  return new Map(
    names.map((name, i) => [name, [(sums[2 * i] as number) / batches, (sums[2 * i + 1] as number) / batches]]),
  );
}

interface LossOptions {
  images: number;
  maxLoss: number;
  force: boolean;
  calibration: number;
  file: string;
}

/** Returns the top-1 of the student and of its file. Throws ExportError if the file loses more than allowed. */
export async function checkLoss(
  runtime: Runtime,
  network: Network,
  { data }: Source,
  { images, maxLoss, force, file, calibration }: LossOptions,
): Promise<QuantizationRecord> {
  const right = [0, 0];
  const { batch } = network.card;
  const size = batch === 'dynamic' ? batchSize : batch;
  let count = 0;
  const wanted = Math.max(images, fewestImages);
  await forEachBatch(data as NonNullable<typeof data>, 'test', { count: wanted, batchSize: size }, async (examples) => {
    const { images: seen, labels } = examples;
    if (!labels || (batch !== 'dynamic' && seen.shape[0] !== batch)) return;
    const { input, output } = expected(network, seen);
    for (const [i, prediction] of [output, await runtime.run(input)].entries())
      right[i] = (right[i] as number) + scope(() => Number(prediction.argmax(1).eq(labels).sum().item()));
    count += seen.shape[0] as number;
  });
  const [top1Before, top1After] = right.map((number) => (100 * number) / count) as [number, number];
  if (top1Before - top1After > maxLoss && !force)
    throw new ExportError(
      `${file} was not written: int8 takes top-1 from ${top1Before.toFixed(2)} % to ${top1After.toFixed(2)} % on ${count} test images, and ${maxLoss} points may be lost.\nCalibrate on more images (--calibration), allow more with --max-loss, or write it all the same with --force.`,
    );
  return { calibrationImages: calibration, images: count, top1Before, top1After };
}
