import type { CapturedSource } from '../data/captured.js';
import type { Loader } from '../data/loader.js';
import type { Accuracy, Batch } from '../flow.js';
import { functional as F } from '../nn/index.js';
import {
  DeviceGraph,
  type GraphPool,
  hostTraffic,
  keep,
  noGrad,
  scope,
  type Tensor,
  functions as torch,
} from '../tensor/index.js';
import { Ranks } from './ranks.js';

/** The sums of an evaluation, which stay on the device of the images until the end. */
export class Scores {
  /** Top-1 hits, top-5 hits, summed cross-entropy, images with NaN or Inf in their logits; float64 [4]. */
  readonly #sums: Tensor;

  constructor(
    protected readonly loader: Loader,
    private readonly logits: (images: Tensor) => Tensor,
  ) {
    this.#sums = scope(() => keep(torch.zeros([4], { dtype: 'float64', device: loader.device })));
  }

  begin(): void {
    noGrad(() => this.#sums.zero_());
  }

  /** Adds batch number `step` of the loader, which must be ready. */
  add(step: number): void {
    scope(() => this.addBatch(this.loader.batch(step)));
  }

  protected addBatch({ images, labels }: Batch): void {
    noGrad(() => this.#sums.add_(scoresOf(this.logits(images), labels)));
  }

  /** Returns the accuracy since {@link begin}, over all ranks of the loader. Waits for the device. */
  read(): Accuracy {
    const own = [...this.sums(), this.loader.count];
    return accuracyOf((this.loader.worldSize > 1 && Ranks.current()?.sums(own)) || own);
  }

  /** Returns this process's four sums since {@link begin}. Waits for the device. */
  sums(): number[] {
    return this.#sums.tolist() as number[];
  }

  dispose(): void {
    this.#sums.dispose();
  }
}

/** Computes the accuracy from the four sums of {@link Scores}, followed by the number of images. */
export function accuracyOf(sums: readonly number[]): Accuracy {
  const [first, five, loss, bad, count] = sums as [number, number, number, number, number];
  return {
    top1: (100 * first) / count,
    top5: (100 * five) / count,
    loss: loss / count,
    count,
    ...(bad > 0 && { nonFinite: bad }),
  };
}

/**
 * Scores on a device, with one captured graph for each batch size, also in later evaluations: `logits` must depend only
 * on the values of tensors that keep their memory. The first batch of each size runs operator by operator; if it shows
 * that the network cannot be captured, all batches do.
 */
export class RepeatedScores extends Scores {
  readonly #source: CapturedSource | undefined;
  readonly #pool: GraphPool;
  /** By number of images; undefined for a size seen once, which is captured the next time. */
  readonly #graphs = new Map<number, DeviceGraph | undefined>();
  #captures = true;

  constructor(loader: Loader, logits: (images: Tensor) => Tensor, pool: GraphPool) {
    super(loader, logits);
    this.#source = DeviceGraph.availableOn(loader.device) ? loader.onDevice() : undefined;
    this.#pool = pool;
  }

  override add(step: number): void {
    const size = this.loader.sizeOf(step);
    if (!this.#replays(step, size)) this.#alone(step, size);
  }

  #replays(step: number, size: number): boolean {
    const source = this.#source;
    if (!source || !this.#captures || !this.#graphs.has(size)) return false;
    source.goTo({ epoch: source.epoch, position: this.loader.beginOf(step) }, size);
    const graph = this.#graphs.get(size) ?? this.#record(source, size);
    graph?.replay();
    if (graph) source.moved(size);
    return graph !== undefined;
  }

  #alone(step: number, size: number): void {
    scope(() => {
      const batch = this.loader.batch(step);
      const before = hostTraffic.count;
      this.addBatch(batch);
      if (hostTraffic.count > before) this.#captures = false;
    });
    if (!this.#graphs.has(size)) this.#graphs.set(size, undefined);
  }

  /** Captures a graph. Returns undefined if that fails, also for lack of memory. */
  #record(source: CapturedSource, size: number): DeviceGraph | undefined {
    try {
      const graph = scope(() =>
        DeviceGraph.record(this.loader.device, () => this.addBatch(source.next(size)), { pool: this.#pool }),
      );
      this.#graphs.set(size, graph);
      return graph;
    } catch {
      this.#captures = false;
      return undefined;
    }
  }

  override dispose(): void {
    super.dispose();
    for (const graph of this.#graphs.values()) graph?.dispose();
    this.#graphs.clear();
  }
}

/**
 * Returns the four sums of {@link Scores} for one batch, float64 [4]. Of equal logits, the lower class number ranks
 * first, as in argmax; the order of topk depends on the device.
 */
function scoresOf(z: Tensor, labels: Tensor): Tensor {
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
