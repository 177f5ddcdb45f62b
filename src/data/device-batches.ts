import type { Batch } from '../flow.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { type CapturedSource, nextPlace, type Place } from './captured.js';
import { type Drawn, joined, tensorsOf, type ViewRecipe } from './view-recipe.js';

export interface DeviceBatchesSetup {
  /** All images, uint8 [N, C, H, W], on the device. */
  images: Tensor;
  recipe: ViewRecipe;
  device: string;
  /** The size of the batch at a position of an epoch; 0 where none begins. */
  sizeAt: (position: number) => number;
}

/**
 * Batches of images that lie on a device, made there from what was drawn for an epoch, which is uploaded when it
 * begins, and from a position that moves on by itself: a captured step needs nothing from the host.
 */
export class DeviceBatches implements CapturedSource {
  readonly #setup: DeviceBatchesSetup;
  /** Of an epoch, and behind it of the first batch of the next one. */
  #drawn: Drawn | undefined;
  readonly #position: Tensor;
  /** Where the device is by now. */
  #reached = 0;
  #epoch = 0;
  #count = 0;

  constructor(setup: DeviceBatchesSetup) {
    this.#setup = setup;
    this.#position = scope(() => keep(torch.zeros([1], { dtype: 'int64', device: setup.device })));
  }

  /** Uploads an epoch and the first batch of the next one. Their numbers of samples are always the same. */
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

  /** Behind the last sample is the first one. */
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
