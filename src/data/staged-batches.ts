import type { Batch } from '../flow.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { type CapturedSource, nextPlace, type Place } from './captured.js';

export interface StagedBatchesSetup {
  /** Uploads the inputs of a batch to the device, asynchronously. */
  bring: (place: Place, size: number) => Tensor[];
  /** Makes a batch of these inputs with operators of the device only. */
  make: (tensors: Tensor[]) => Batch;
  /** The size of the batch that begins at a position of an epoch; 0 if no batch begins there. */
  sizeAt: (position: number) => number;
  /** Whether the first batch of the next epoch is available before that epoch begins. */
  crosses: boolean;
}

/** Tensors that a captured step reads, and the batch that they belong to. */
interface Stage {
  tensors: Tensor[];
  holds: Place;
}

/**
 * Batches whose inputs the host uploads, optionally one step ahead. The device copies them to the tensors that captured
 * steps read, queued after the last step that reads the old contents. The host waits for neither.
 */
export class StagedBatches implements CapturedSource {
  /** Stages by the number of images in a batch. */
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
