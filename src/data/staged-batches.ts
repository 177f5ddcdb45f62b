import type { Batch } from '../flow.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { type CapturedSource, nextPlace, type Place } from './captured.js';

export interface StagedBatchesSetup {
  /** What a batch is made of, on the device: uploaded while the device does something else. */
  bring: (place: Place, size: number) => Tensor[];
  /** Makes a batch of it by operators of the device alone. */
  make: (tensors: Tensor[]) => Batch;
  /** The size of the batch at a position of an epoch; 0 where none begins. */
  sizeAt: (position: number) => number;
  /** Whether the first batch of the next epoch can be had before that begins. */
  crosses: boolean;
}

/** Tensors that a captured step reads, and the batch that they belong to. */
interface Stage {
  tensors: Tensor[];
  holds: Place;
}

/**
 * Batches that the host brings, a step before they are used where that is asked for: it uploads what they are made of,
 * and the device copies that to where captured steps read it, behind the step that has read it last. The host waits for
 * neither.
 */
export class StagedBatches implements CapturedSource {
  /** By number of images. */
  readonly #stages = new Map<number, Stage>();
  #epoch = 0;

  constructor(private readonly setup: StagedBatchesSetup) {}

  begin(epoch: number): void {
    this.#epoch = epoch;
  }

  get epoch(): number {
    return this.#epoch;
  }

  goTo(place: Place, size: number): void {
    const stage = this.#stages.get(size);
    if (stage && stage.holds.epoch === place.epoch && stage.holds.position === place.position) return;
    noGrad(() =>
      scope(() => {
        const brought = this.setup.bring(place, size);
        if (stage) torch._foreachCopy_(stage.tensors, brought, true);
        const tensors = stage?.tensors ?? brought.map((tensor) => keep(tensor.clone()));
        this.#stages.set(size, { tensors, holds: place });
      }),
    );
  }

  next(size: number): Batch {
    return this.setup.make((this.#stages.get(size) as Stage).tensors);
  }

  moved(): void {}

  after(position: number, size: number): Place | undefined {
    const place = nextPlace({ epoch: this.#epoch, position }, size, this.setup.sizeAt);
    return place.epoch === this.#epoch || this.setup.crosses ? place : undefined;
  }

  dispose(): void {
    for (const { tensors } of this.#stages.values()) for (const tensor of tensors) tensor.dispose();
    this.#stages.clear();
  }
}
