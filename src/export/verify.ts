/** Compares an exported file with its student. */
import { ExportError } from '../errors.js';
import type { StateDict } from '../nn/index.js';
import { noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { ExportCard, Verification } from './card.js';
import type { Network, Runtime } from './format.js';
import { forEachBatch, type Source, syntheticImages } from './source.js';

/** Allowed differences by precision; int8 is judged by its accuracy instead. */
const tolerances: Partial<Record<ExportCard['precision'], number>> = { float32: 1e-4, float16: 2e-2 };
const batchSize = 32;
const longest = { runs: 30, milliseconds: 500 };

/** Returns input and output of the student in the form of the file: logits or probabilities. */
export function expected({ model, card }: Network, images: Tensor): { input: Tensor; output: Tensor } {
  const forward = (x: Tensor) => (model.forward as (x: Tensor) => Tensor).call(model, x);
  return noGrad(() =>
    scope(() => {
      if (card.returns === 'logits') return { input: images, output: forward(images) };
      const { mean, std } = perChannel(card);
      const pixels = images.mul(std).add(mean).mul(255).round().clamp({ min: 0, max: 255 }).to('uint8');
      const seen = pixels.to('float32').div(255).sub(mean).div(std);
      return { input: pixels.permute([0, 2, 3, 1]).contiguous(), output: forward(seen).softmax(1) };
    }),
  );
}

function perChannel({ input: [channels = 1], mean, std }: ExportCard): { mean: Tensor; std: Tensor } {
  const row = (numbers: readonly number[] | undefined, otherwise: number) =>
    torch.stack(
      Array.from({ length: channels }, (_, i) => torch.full([1, 1], numbers?.[i] ?? otherwise, { dtype: 'float32' })),
    );
  return { mean: row(mean, 0), std: row(std, 1) };
}

/** Compares a file with the student on test images of the run, or on synthetic ones. */
export async function compared(
  runtime: Runtime,
  network: Network,
  { data }: Source,
  { images: wanted, tolerance: given }: { images: number; tolerance?: number | undefined },
): Promise<Verification> {
  const { batch, precision, input } = network.card;
  const differences = new Differences();
  const sizes = batch === 'dynamic' ? batchSize : batch;
  const use = async (images: Tensor) => {
    // A single image first, so that a network with a fixed batch size fails here.
    const [alone, rest] = differences.count === 0 && batch === 'dynamic' ? [1, images.shape[0] as number] : [0, 0];
    if (alone) await compareOnce(runtime, network, images.narrow(0, 0, 1), differences);
    if (!alone || rest > 1)
      await compareOnce(runtime, network, alone ? images.narrow(0, 1, rest - 1) : images, differences);
  };
  const whole = (images: Tensor) => batch === 'dynamic' || images.shape[0] === batch;
  if (data) {
    const count = batch === 'dynamic' ? wanted : Math.ceil(wanted / batch) * batch;
    await forEachBatch(data, 'test', { count, batchSize: sizes }, async ({ images }) => {
      if (whole(images)) await use(images);
    });
  }
  const allowed = given ?? tolerances[precision];
  const synthetic = differences.count === 0;
  if (synthetic) await use(syntheticImages(batch === 'dynamic' ? Math.min(wanted, batchSize) : batch, input));
  return {
    runtime: runtime.name,
    ...(runtime.missing !== undefined && { missing: runtime.missing }),
    images: differences.count,
    source: synthetic ? 'synthetic images' : `test images of ${network.card.data ?? data?.source}`,
    maxDifference: differences.largest,
    ...(allowed !== undefined && {
      tolerance: allowed * (network.card.returns === 'logits' ? Math.max(1, differences.scale) : 1),
    }),
    sameTop1: differences.same / differences.count,
  };
}

/** Throws ExportError if a file computes different outputs than the student. */
export function requireEqual({ maxDifference, tolerance, runtime, source }: Verification, file: string): void {
  const limit = tolerance ?? Number.MAX_VALUE;
  if (maxDifference <= limit) return;
  throw new ExportError(
    `${file} was not written: run by ${runtime} on ${source}, its outputs differ from the student's by ${maxDifference.toExponential(2)}, and ${limit.toExponential(1)} is allowed.\nThe forward may depend on values of the images or write into views in place. If the difference is rounding, raise the limit with --tolerance.`,
  );
}

class Differences {
  count = 0;
  same = 0;
  largest = 0;
  /** The largest absolute output of the student. */
  scale = 0;

  add(output: Tensor, reference: Tensor): void {
    scope(() => {
      if (!reference.isfinite().all().item())
        throw new ExportError(
          'The student returns NaN or Inf for these images: its weights are damaged. Train it again.',
        );
      if (output.shape.join() !== reference.shape.join())
        throw new ExportError(`The file returns [${output.shape}] where the student returns [${reference.shape}].`);
      const difference = output.sub(reference).abs().max().item() as number;
      this.largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(this.largest, difference);
      this.scale = Math.max(this.scale, reference.abs().max().item() as number);
      this.same += Number(output.argmax(1).eq(reference.argmax(1)).sum().item());
      this.count += reference.shape[0] as number;
    });
  }
}

async function compareOnce(runtime: Runtime, network: Network, images: Tensor, into: Differences): Promise<void> {
  const { input, output } = expected(network, images);
  into.add(await runtime.run(input), output);
}

/** Returns the median time of a forward at batch sizes 1 and 32, or at the only size that the file accepts. */
export async function latencyOf(runtime: Runtime, network: Network): Promise<NonNullable<Verification['latency']>> {
  const { batch, input } = network.card;
  const sizes = batch === 'dynamic' ? [1, batchSize] : [batch];
  const latency = [];
  for (const images of sizes) {
    const { input: example } = expected(network, syntheticImages(images, input));
    for (let i = 0; i < 2; i++) await runtime.run(example);
    const times: number[] = [];
    const end = performance.now() + longest.milliseconds;
    while (times.length < 3 || (times.length < longest.runs && performance.now() < end)) {
      const start = performance.now();
      (await runtime.run(example)).dispose();
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    latency.push({ images, milliseconds: times[Math.floor(times.length / 2)] as number });
  }
  return latency;
}

/** Compares the weights that a file holds with those of the student, bit by bit. */
export function comparedWeights(held: StateDict, network: Network, file: string): Verification {
  const own = network.model.stateDict();
  for (const [name, tensor] of Object.entries(own)) {
    const read = held[name];
    if (
      !read ||
      read.dtype !== tensor.dtype ||
      read.shape.join() !== tensor.shape.join() ||
      !torch.equal(read, tensor.contiguous())
    )
      throw new ExportError(`${file} was not written: read back, its tensor ${name} is not the student's.`);
  }
  const images = { images: 0, source: 'weights read back', sameTop1: 1 };
  return { runtime: 'srrl', ...images, maxDifference: 0, tolerance: 0 };
}
