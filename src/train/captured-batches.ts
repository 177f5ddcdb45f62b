/**
 * Where captured steps get their batches from: the device makes them alone or from data that the host has copied, and
 * the teacher may be one batch ahead.
 */
import type { CapturedSource, Place } from '../data/captured.js';
import type { Batch, Features } from '../flow.js';
import { callOverload, type DeviceGraph, keep, noGrad, overloadOf, scope, Tensor } from '../tensor/index.js';
import type { Inputs } from './recorded-pass.js';

export interface CapturedBatches {
  /** Moves the device to the batch that begins at `position` of the epoch, before a step is captured or replayed. */
  ready(position: number): void;
  /** Captured at the beginning of a step; the returned `end` at its end. */
  make(graph: DeviceGraph): { inputs: Inputs; end?: () => void };
  /** Counts a replay. */
  replayed(): void;
  dispose(): void;
}

/** The step makes its own batch from data copied just before it, and the features that several students share. */
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
 * A step uses the batch and the teacher's features that the previous step made, and makes those of the next step (also
 * across epochs) in parallel: the teacher does not depend on the student. Without a previous step, as at the beginning
 * of a run, they are made at once.
 */
export class BatchesAhead implements CapturedBatches {
  #held: Inputs | undefined;
  #heldAt: Place | undefined;
  #nextAt: Place | undefined;
  /** The tensors of {@link #held} that are valid for its batch, and those that a replay copies for the next one. */
  #current: ReadonlySet<Tensor> = new Set();
  #copied: ReadonlySet<Tensor> = new Set();

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
    // Without a next batch, nothing uses what the step makes.
    if (this.#nextAt) source.goTo(this.#nextAt, size);
  }

  #makeNow(place: Place): void {
    const { source, size } = this;
    source.goTo(place, size);
    scope(() => {
      const made = this.#make();
      if (this.#held) overwrite(this.#held, made, new Set(tensorsOf(this.#held)));
      else this.#held = mapInputs(made, (tensor) => keep(noGrad(() => tensor.clone())));
      this.#current = new Set(tensorsOf(this.#held));
    });
    source.moved(size);
    this.#heldAt = place;
  }

  /** Copies for the next step only those tensors that this step reads. */
  make(graph: DeviceGraph): { inputs: Inputs; end: () => void } {
    const held = this.#held as Inputs;
    const used = new Set<Tensor>();
    const next = graph.aside(() => this.#make(), { background: true });
    const end = () => {
      graph.join();
      overwrite(held, next, used);
      this.#copied = used;
      // An earlier graph may not have copied everything that this one reads.
      if (![...used].every((tensor) => this.#current.has(tensor))) this.#heldAt = undefined;
    };
    const { batch, teacher } = held;
    const see = (tensor: Tensor) => used.add(tensor);
    return { inputs: { batch: watched(batch, see), ...(teacher && { teacher: watched(teacher, see) }) }, end };
  }

  replayed(): void {
    this.#heldAt = this.#nextAt;
    this.#current = this.#copied;
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

/** What decides how captured steps get their batches. */
export interface CapturedChoice {
  /** Returns the source of batches; undefined if the host must copy them. */
  source: () => CapturedSource | undefined;
  /** Computes the teacher's features; absent without a teacher. */
  teach: ((batch: Batch) => Features) | undefined;
  /** Whether the teacher may be one batch of `size` images ahead. */
  isAhead: (size: number) => boolean;
  /** Whether several students share the batch and the teacher's features. */
  isShared: boolean;
}

/** Returns the possible sources of batches of `size` images, the best first. */
export const capturedBatches =
  ({ source, teach, isAhead, isShared }: CapturedChoice) =>
  (size: number): CapturedBatches[] => {
    const made = source();
    if (!made) return [];
    const ahead = teach && isAhead(size) ? [new BatchesAhead(made, size, teach)] : [];
    return [...ahead, new OwnBatches(made, size, isShared ? teach : undefined)];
  };

function overwrite(held: Inputs, made: Inputs, which: ReadonlySet<Tensor>): void {
  const from = tensorsOf(made);
  const pairs = tensorsOf(held).flatMap((to, i) => (which.has(to) ? [[to, from[i] as Tensor] as const] : []));
  const lists = [pairs.map(([to]) => to), pairs.map(([, source]) => source)];
  noGrad(() => callOverload(overloadOf('srrl::copy_all_'), [...lists, null]));
}

/** Returns a proxy of `holder` that calls `see` for each tensor that is read. */
function watched<T extends object>(holder: T, see: (tensor: Tensor) => void): T {
  return new Proxy(holder, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (value instanceof Tensor) see(value);
      return Array.isArray(value) ? watched(value, see) : value;
    },
  });
}

/** The tensors of a batch and of the teacher's features, in a fixed order. */
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
