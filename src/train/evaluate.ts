import { checkCall } from '../call.js';
import type { Loader } from '../data/loader.js';
import type { Accuracy } from '../flow.js';
import { functional as F } from '../nn/index.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { StallEvent } from './events.js';
import { type Patience, patiently, stallOptions } from './patience.js';

/** Images a batch in every evaluation, so that repeated evaluations agree to the bit. */
export const evaluationBatchSize = 200;

/** Lets the event loop turn, so that progress is shown and signals arrive. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Top-1, top-5 and mean cross-entropy of `logits(images)` over a loader. The model must be in evaluation mode. */
export async function evaluate(
  logits: (images: Tensor) => Tensor,
  loader: Loader,
  signal?: AbortSignal,
): Promise<Accuracy> {
  checkCall('evaluate', ['logits', 'loader', 'signal'], undefined, arguments);
  const measuring = evaluation(logits, loader, { ...stallOptions.parse({}), signal });
  for (;;) {
    const { value, done } = await measuring.next();
    if (done) return value;
  }
}

/** The same, and says when images do not come. */
export async function* evaluation(
  logits: (images: Tensor) => Tensor,
  loader: Loader,
  patience: Patience,
): AsyncGenerator<StallEvent, Accuracy> {
  const sums = scope(() => keep(torch.zeros([4], { dtype: 'float64', device: loader.device })));
  try {
    loader.begin(0);
    for (let step = 0; step < loader.steps; step++) {
      yield* patiently(loader, step, patience);
      patience.signal?.throwIfAborted();
      noGrad(() => scope(() => sums.add_(scores(loader, step, logits))));
      await breathe();
    }
    const [first, five, loss, bad] = sums.tolist() as [number, number, number, number];
    const { count } = loader;
    return {
      top1: (100 * first) / count,
      top5: (100 * five) / count,
      loss: loss / count,
      count,
      ...(bad > 0 && { nonFinite: bad }),
    };
  } finally {
    sums.dispose();
  }
}

/**
 * Right at first, right among five, the summed cross-entropy, and the images with NaN or Inf in their logits, of one
 * batch. Of equal logits the class of the lower number ranks first, as in argmax; topk leaves that order to the CPU.
 */
function scores(loader: Loader, step: number, logits: (images: Tensor) => Tensor): Tensor {
  const { images, labels } = loader.batch(step);
  const z = logits(images);
  const numClasses = z.shape[1] ?? 1;
  const label = labels.unsqueeze(1);
  const own = z.gather(1, label);
  const tied = z.eq(own).logicalAnd(torch.arange(numClasses, { device: z.device }).lt(label));
  const rank = z.gt(own).logicalOr(tied).sum(1);
  const finite = z.isfinite().all(1);
  const parts = [
    rank.lt(1).logicalAnd(finite).sum(),
    rank.lt(Math.min(5, numClasses)).logicalAnd(finite).sum(),
    F.crossEntropy(z, labels, { reduction: 'sum' }),
    finite.logicalNot().sum(),
  ];
  return torch.stack(parts.map((part) => part.to('float64')));
}
