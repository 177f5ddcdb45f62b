import type { Batch } from '../flow.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { type CapturedSource, nextPlace, type Place } from './captured.js';
import { type Drawn, joined, tensorsOf, type ViewRecipe } from './view-recipe.js';

export interface DeviceBatchesSetup {
  /** All images, uint8 [N, C, H, W], on the device. */
  images: Tensor;
  recipe: ViewRecipe;
  device: string;
  /** The size of the batch that begins at a position of an epoch; 0 if no batch begins there. */
  sizeAt: (position: number) => number;
}

/**
 * Makes batches of images that lie on the device. The random numbers of an epoch are uploaded when it begins, and the
 * position advances on the device: a step captured in a CUDA graph needs nothing from the host.
 */
export class DeviceBatches implements CapturedSource {
  readonly #setup: DeviceBatchesSetup;
  /** The numbers of the current epoch, followed by those of the first batch of the next one. */
  #drawn: Drawn | undefined;
  readonly #position: Tensor;
  /** The host's copy of the position on the device. */
  #reached = 0;
  #epoch = 0;
  #count = 0;

  constructor(setup: DeviceBatchesSetup) {
    this.#setup = setup;
    this.#position = scope(() => keep(torch.zeros([1], { dtype: 'int64', device: setup.device })));
  }

  /** Uploads the numbers of an epoch and of the first batch of the next one. Their count must be the same each time. */
  begin(epoch: number, [now, next]: readonly [Drawn, Drawn]): void {
    const { recipe } = this.#setup;
    this.#epoch = epoch;
    this.#count = now.places.shape[0] as number;
    noGrad(() =>
      scope(() => {
        const drawn = recipe.upload(joined([now, next]));
        // A captured step reads the same tensors in every epoch.
        if (this.#drawn) torch._foreachCopy_(tensorsOf(this.#drawn), tensorsOf(drawn));
        else this.#drawn = drawn;
        for (const tensor of tensorsOf(this.#drawn)) keep(tensor);
      }),
    );
  }

  get epoch(): number {
    return this.#epoch;
  }

  goTo({ epoch, position }: Place): void {
    const place = epoch > this.#epoch ? this.#count + position : position;
    if (place !== this.#reached) noGrad(() => this.#position.fill_(place));
    this.#reached = place;
  }

  moved(size: number): void {
    this.#reached += size;
  }

  after(position: number, size: number): Place {
    return nextPlace({ epoch: this.#epoch, position }, size, this.#setup.sizeAt);
  }

  /** Returns the next `size` images; after the last sample, continues with the first one. */
  next(size: number): Batch {
    const { images, recipe, device } = this.#setup;
    const { order, places, numbers } = this.#drawn as Drawn;
    return noGrad(() => {
      const at = torch
        .arange(size, { dtype: 'int64', device })
        .add(this.#position)
        .remainder(order.shape[1] as number);
      const drawn = {
        order: order.indexSelect(1, at),
        places: places.indexSelect(0, at),
        ...(numbers && { numbers: numbers.indexSelect(0, at) }),
      };
      const batch = recipe.batch(images, drawn, { all: true });
      this.#position.add_(size);
      return batch;
    });
  }

  dispose(): void {
    for (const tensor of [this.#position, ...(this.#drawn ? tensorsOf(this.#drawn) : [])]) tensor.dispose();
  }
}
