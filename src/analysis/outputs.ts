/** Outputs of both networks on a split, batch by batch, from one process or all processes of a group. */
import type { Dataset, SplitName } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import { gatherRows } from '../distributed/gather.js';
import { getRank, getWorldSize } from '../distributed/group.js';
import type { Features } from '../flow.js';
import { type Tensor, functions as torch } from '../tensor/index.js';

type Seen = Pick<Features, 'pooled' | 'logits'>;
type FourTensors = [Tensor, Tensor, Tensor, Tensor];

/** Outputs for one batch, on the CPU: it supports float64, used for all sums, and its results are reproducible. */
export interface BatchOutputs {
  teacher: Seen;
  student: Seen;
  /** int64 [N] */
  labels: Tensor;
}

interface OutputsSetup {
  batchSize: number;
  device: string;
  /** Whether all processes of the group take part. */
  shared: boolean;
  /** Widths of the teacher's feature, its logits, the student's feature, and its logits. */
  widths: readonly [number, number, number, number];
  run: (images: Tensor) => { teacher: Seen; student: Seen };
}

/** Runs in rounds of one batch per process; the first process receives all of them, in order. */
export class Outputs {
  readonly isShared: boolean;
  readonly isFirst: boolean;
  readonly rounds: number;
  /** Number of images over all processes. */
  readonly count: number;
  readonly #ranks: number;
  readonly #loader: Loader;

  constructor(
    data: Dataset,
    split: SplitName,
    private readonly setup: OutputsSetup,
  ) {
    const { batchSize, device, shared } = setup;
    const rank = shared ? getRank() : 0;
    this.#ranks = shared ? getWorldSize() : 1;
    this.isShared = this.#ranks > 1;
    this.isFirst = rank === 0;
    this.count = data[split]?.labels.length ?? 0;
    this.rounds = Math.ceil(this.count / (batchSize * this.#ranks));
    this.#loader = new Loader(data, split, { batchSize, device, rank, worldSize: this.#ranks, wholeBatches: true });
    this.#loader.begin(0);
  }

  ready(round: number): Promise<void> | undefined {
    return round < this.#loader.steps ? this.#loader.ready(round) : undefined;
  }

  doneAfter(round: number): number {
    return Math.min((round + 1) * this.setup.batchSize * this.#ranks, this.count);
  }

  /** Returns the batches of a ready round on the first process, [] on the others. Call it inside a scope. */
  ofRound(round: number): BatchOutputs[] {
    const own = round < this.#loader.steps ? this.#own(round) : undefined;
    if (!this.isShared) return own ? [own] : [];
    return this.#ofAll(own, this.#sizes(round));
  }

  #own(round: number): BatchOutputs {
    const { images, labels } = this.#loader.batch(round);
    const { teacher, student } = this.setup.run(images);
    return { teacher: onCpu(teacher), student: onCpu(student), labels: labels.to({ device: 'cpu' }) };
  }

  /** Number of images of each process in a round. */
  #sizes(round: number): number[] {
    const { batchSize } = this.setup;
    const first = round * this.#ranks;
    return Array.from({ length: this.#ranks }, (_, rank) =>
      Math.max(0, Math.min(batchSize, this.count - (first + rank) * batchSize)),
    );
  }

  /** Gathers the batches of a round, each as one float64 matrix, which holds all values exactly. */
  #ofAll(own: BatchOutputs | undefined, sizes: readonly number[]): BatchOutputs[] {
    const widths = [...this.setup.widths, 1];
    const parts = own && [own.teacher.pooled, own.teacher.logits, own.student.pooled, own.student.logits];
    const wide = parts && [...parts, own.labels.unsqueeze(1)].map((part) => part.to('float64'));
    const none = () => torch.zeros([0, widths.reduce((sum, width) => sum + width)], { dtype: 'float64' });
    const all = gatherRows(wide ? torch.cat(wide, 1) : none(), sizes);
    // The first process has a batch in every round.
    if (!this.isFirst || !parts) return [];
    const filled = sizes.filter((size) => size > 0);
    return torch.splitWithSizes(all, filled).map((batch) => {
      const columns = torch.splitWithSizes(batch, widths, 1);
      const [t, zT, s, zS] = parts.map(({ dtype }, i) => (columns[i] as Tensor).to(dtype).contiguous()) as FourTensors;
      const labels = batch.select(1, -1).to('int64');
      return { teacher: { pooled: t, logits: zT }, student: { pooled: s, logits: zS }, labels };
    });
  }

  dispose(): void {
    this.#loader.dispose();
  }
}

const onCpu = ({ pooled, logits }: Seen): Seen => ({
  pooled: pooled.to({ device: 'cpu' }),
  logits: logits.to({ device: 'cpu' }),
});
