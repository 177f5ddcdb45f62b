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

/** The sums of an evaluation, which stay where the images are until the end. */
export class Scores {
  /** Right at first, right among five, the summed cross-entropy, images with NaN or Inf in their logits. */
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

  /** Of all that was added since the beginning, by all ranks of the loader; waits for the device. */
  read(): Accuracy {
    const own = [...this.sums(), this.loader.count];
    return accuracyOf((this.loader.worldSize > 1 && Ranks.current()?.sums(own)) || own);
  }

  /** What this process has added since the beginning, without the number of images; waits for the device. */
  sums(): number[] {
    return this.#sums.tolist() as number[];
  }

  dispose(): void {
    this.#sums.dispose();
  }
}

/** From right at first, right among five, cross-entropy, images with NaN or Inf, and the number of images. */
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
 * The same on a device, which repeats one graph for each size of batches, also in later evaluations: what `logits`
 * computes must depend on nothing but the values of tensors that stay where they are. The first batch of each size is
 * done operator by operator; where it shows that the network cannot be captured, all are.
 */
export class RepeatedScores extends Scores {
  readonly #source: CapturedSource | undefined;
  readonly #pool: GraphPool;
  /** By number of images; undefined for sizes that were seen, and are captured when they come again. */
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

  /** Undefined where the network cannot be captured, or there is no memory for it. */
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
 * Right at first, right among five, the summed cross-entropy, and the images with NaN or Inf in their logits, of one
 * batch. Of equal logits the class of the lower number ranks first, as in argmax; topk leaves that order to the CPU.
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
