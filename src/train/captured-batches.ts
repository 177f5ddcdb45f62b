/**
 * Where captured steps get their batches from: the device makes them by itself or of what the host has brought, and the
 * teacher may be a batch ahead.
 */
import type { CapturedSource, Place } from '../data/captured.js';
import type { Batch, Features } from '../flow.js';
import { type DeviceGraph, keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { Inputs } from './recorded-pass.js';

export interface CapturedBatches {
  /** Brings the device to the batch that begins at `position` of the epoch, before a step is captured or replayed. */
  ready(position: number): void;
  /** Is captured at the beginning of a step; `end` at the end of it. */
  make(graph: DeviceGraph): { inputs: Inputs; end?: () => void };
  /** Counts a replay. */
  replayed(): void;
  dispose(): void;
}

/** The step makes its own batch, of what was brought just before it; and the features that several students share. */
export class OwnBatches implements CapturedBatches {
  constructor(
    private readonly source: CapturedSource,
    private readonly size: number,
    private readonly teach?: (batch: Batch) => Features,
  ) {}

  ready(position: number): void {
    this.source.goTo({ epoch: this.source.epoch, position }, this.size);
  }

  make(): { inputs: Inputs } {
    const batch = this.source.next(this.size);
    return { inputs: { batch, ...(this.teach && { teacher: this.teach(batch) }) } };
  }

  replayed(): void {
    this.source.moved(this.size);
  }

  dispose(): void {}
}

/**
 * The step has its batch and the teacher's features from the step before, and beside itself makes those of the next
 * one, also of the next epoch: the teacher depends on nothing that the student does. Where there was no such step
 * before, as at the beginning of a run, they are made at once.
 */
export class BatchesAhead implements CapturedBatches {
  #held: Inputs | undefined;
  #heldAt: Place | undefined;
  #nextAt: Place | undefined;

  constructor(
    private readonly source: CapturedSource,
    private readonly size: number,
    private readonly teach: (batch: Batch) => Features,
  ) {}

  ready(position: number): void {
    const { source, size } = this;
    const { epoch } = source;
    if (this.#heldAt?.epoch !== epoch || this.#heldAt.position !== position) this.#makeNow({ epoch, position });
    this.#nextAt = source.after(position, size);
    // Otherwise nobody uses what the step makes.
    if (this.#nextAt) source.goTo(this.#nextAt, size);
  }

  #makeNow(place: Place): void {
    const { source, size } = this;
    source.goTo(place, size);
    scope(() => {
      const made = this.#make();
      if (this.#held) overwrite(this.#held, made);
      else this.#held = mapInputs(made, (tensor) => keep(noGrad(() => tensor.clone())));
    });
    source.moved(size);
  }

  make(graph: DeviceGraph): { inputs: Inputs; end: () => void } {
    const held = this.#held as Inputs;
    const next = graph.aside(() => this.#make());
    const end = () => {
      graph.join();
      overwrite(held, next);
    };
    return { inputs: held, end };
  }

  replayed(): void {
    this.#heldAt = this.#nextAt;
    this.source.moved(this.size);
  }

  #make(): Inputs {
    const batch = this.source.next(this.size);
    return { batch, teacher: this.teach(batch) };
  }

  dispose(): void {
    for (const tensor of this.#held ? tensorsOf(this.#held) : []) tensor.dispose();
  }
}

const overwrite = (held: Inputs, made: Inputs): void =>
  noGrad(() => torch._foreachCopy_(tensorsOf(held), tensorsOf(made)));

/** The tensors of a batch and of the teacher's features, in one order. */
export const tensorsOf = ({ batch: { images, labels, indices }, teacher }: Inputs): Tensor[] => [
  images,
  labels,
  indices,
  ...(teacher ? [teacher.pooled, teacher.logits, ...(teacher.map ? [teacher.map] : []), ...teacher.stages] : []),
];

export function mapInputs({ batch, teacher }: Inputs, change: (tensor: Tensor) => Tensor): Inputs {
  const { images, labels, indices, views } = batch;
  const { number, images: shown } = views;
  return {
    batch: {
      images: change(images),
      labels: change(labels),
      indices: change(indices),
      views: { number, images: shown },
    },
    ...(teacher && { teacher: mapFeatures(teacher, change) }),
  };
}

export const mapFeatures = (
  { pooled, logits, stages, map }: Features,
  change: (tensor: Tensor) => Tensor,
): Features => ({
  pooled: change(pooled),
  logits: change(logits),
  stages: stages.map(change),
  ...(map && { map: change(map) }),
});
