import { checkCall } from '../call.js';
import type { Loader } from '../data/loader.js';
import type { Accuracy } from '../flow.js';
import type { Tensor } from '../tensor/index.js';
import type { StallEvent } from './events.js';
import { type Patience, patiently, stallOptions } from './patience.js';
import { Scores } from './scores.js';

/** Images a batch in every evaluation, so that repeated evaluations agree bit for bit. */
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
  const scores = new Scores(loader, logits);
  try {
    return yield* scored(scores, loader, patience);
  } finally {
    scores.dispose();
  }
}

/** One pass over a loader. */
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
