import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { drawViews, rowsOf, upload, viewsOn } from './device-views.js';

export interface DeviceBatchesSetup {
  /** All images, uint8 [N, C, H, W], their labels, and what a pixel's value becomes (pixelTable), on the device. */
  images: Tensor;
  labels: Tensor;
  table: Tensor;
  device: string;
}

/** Samples in their order, the images that they are, and what decides how these are seen. */
export interface DeviceSamples {
  samples: readonly number[];
  images: readonly number[];
  view: { pad: number; flip: boolean; seed: number; epoch: number };
}

/**
 * Batches of images that lie on a device, made there from the order and the draws of an epoch, which are uploaded when
 * it begins, and from a position that moves on by itself: a captured step needs nothing from the host.
 */
export class DeviceBatches {
  readonly #setup: DeviceBatchesSetup;
  /** Samples and images, int64 [2, count], and draws, int64 [count, 3]. */
  #order: Tensor | undefined;
  #draws: Tensor | undefined;
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
  begin(epoch: number, [now, next]: readonly [DeviceSamples, DeviceSamples]): void {
    const { device } = this.#setup;
    this.#epoch = epoch;
    this.#count = now.samples.length;
    noGrad(() =>
      scope(() => {
        const numbers = (of: (part: DeviceSamples) => readonly number[]) => rowsOf([...of(now), ...of(next)]);
        const order = upload(torch.stack([numbers(({ samples }) => samples), numbers(({ images }) => images)]), device);
        const draws = upload(torch.cat([now, next].map(({ images, view }) => drawViews(images, view))), device);
        // A captured step reads the same tensors in every epoch.
        if (this.#order) this.#order.copy_(order);
        else this.#order = keep(order);
        if (this.#draws) this.#draws.copy_(draws);
        else this.#draws = keep(draws);
      }),
    );
  }

  /** The epoch that was uploaded last. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Samples of an epoch; at this position is the first batch of the next one. */
  get count(): number {
    return this.#count;
  }

  /** Says where the next batch begins. */
  goTo(position: number): void {
    if (position !== this.#reached) noGrad(() => this.#position.fill_(position));
    this.#reached = position;
  }

  /** Counts that {@link next} was done, by itself or in a replay. */
  moved(size: number): void {
    this.#reached += size;
  }

  /** The next `size` samples, by operators of the device alone. Behind the last sample is the first one. */
  next(size: number): { images: Tensor; labels: Tensor; indices: Tensor } {
    const { images, labels, table, device } = this.#setup;
    const [order, draws] = [this.#order as Tensor, this.#draws as Tensor];
    return noGrad(() => {
      const places = torch
        .arange(size, { dtype: 'int64', device })
        .add(this.#position)
        .remainder(order.shape[1] as number);
      const [indices, rows] = order.indexSelect(1, places).unbind(0) as [Tensor, Tensor];
      const seen = viewsOn(images, rows, draws.indexSelect(0, places), table);
      this.#position.add_(size);
      return { images: seen, labels: labels.indexSelect(0, indices), indices };
    });
  }

  dispose(): void {
    for (const tensor of [this.#order, this.#draws, this.#position, this.#setup.table]) tensor?.dispose();
  }
}
