import { checkCall } from '../call.js';
import type { Dataset } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import type { Accuracy } from '../flow.js';
import type { Tensor } from '../tensor/index.js';
import type { StallEvent } from './events.js';
import { type Patience, patiently, stallOptions } from './patience.js';
import { Ranks } from './ranks.js';
import { accuracyOf, Scores } from './scores.js';

/** Batch size of every evaluation: with a fixed one, repeated evaluations are bitwise identical. */
export const evaluationBatchSize = 200;

/** Yields to the event loop, so that progress is shown and signals arrive. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Returns top-1, top-5 and mean cross-entropy of `logits(images)` over a loader. Call `eval()` of the model first. */
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

/**
 * Evaluates on the test images with all processes of the group. Each has whole batches, so the result is bitwise
 * identical to that of one process. Every process must call it; each returns the result.
 */
export async function evaluateTogether(
  logits: (images: Tensor) => Tensor,
  data: Dataset,
  device: string,
): Promise<Accuracy> {
  const ranks = Ranks.current();
  const { rank = 0, size = 1 } = ranks ?? {};
  const sharing = { rank, worldSize: size, wholeBatches: true };
  const loader = new Loader(data, 'test', { batchSize: evaluationBatchSize, device, ...sharing });
  const scores = new Scores(loader, logits);
  const count = data.test?.labels.length ?? 0;
  const rows = Array.from({ length: Math.ceil(count / evaluationBatchSize) }, () => [0, 0, 0, 0]);
  try {
    loader.begin(0);
    for (let step = 0; step < loader.steps; step++) {
      await loader.ready(step);
      scores.begin();
      scores.add(step);
      rows[step * size + rank] = scores.sums();
      await breathe();
    }
  } finally {
    scores.dispose();
    loader.dispose();
  }
  // Each batch is zero in all processes but one, and batches are added in a fixed order.
  const all = ranks?.sums(rows.flat()) ?? rows.flat();
  const sums = [0, 1, 2, 3].map((column) => rows.reduce((sum, _, i) => sum + (all[4 * i + column] as number), 0));
  return accuracyOf([...sums, count]);
}

/** Evaluates like {@link evaluate}, and yields an event when data loading stalls. */
export async function* evaluation(
  logits: (images: Tensor) => Tensor,
  loader: Loader,
  patience: Patience,
): AsyncGenerator<StallEvent, Accuracy> {
  const scores = new Scores(loader, logits);
  try {
    return yield* scored(scores, loader, patience);
  } finally {
    scores.dispose();
  }
}

/** Scores one pass over a loader. */
export async function* scored(
  scores: Scores,
  loader: Loader,
  patience: Patience,
): AsyncGenerator<StallEvent, Accuracy> {
  loader.begin(0);
  scores.begin();
  for (let step = 0; step < loader.steps; step++) {
    yield* patiently(loader, step, patience);
    patience.signal?.throwIfAborted();
    scores.add(step);
    await breathe();
  }
  return scores.read();
}
