import type { Batch, Views } from '../flow.js';
import { keep, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { CapturedSource, Place } from './captured.js';
import { DeviceBatches } from './device-batches.js';
import { type ImageDType, upload } from './device-views.js';
import type { BatchSetup } from './host-batches.js';
import { isEncoded } from './images.js';
import { imagesOf } from './plain-view.js';
import { StagedBatches } from './staged-batches.js';
import { type Drawn, drawnOf, joined, tensorsOf, ViewRecipe } from './view-recipe.js';

export interface OnDeviceSetup extends BatchSetup {
  device: string;
  /** Batches per epoch. */
  steps: number;
  /** Returns the position at which a batch begins among the samples of an epoch. */
  beginOf: (step: number) => number;
  /** Returns the samples of a batch; empty if the epoch has no such batch. */
  samplesOf: (epoch: number, step: number) => number[];
  /** Returns the view number of an epoch. */
  viewOf: (epoch: number) => number;
}

/** Makes batches on a device, both for single requests of the host and for steps captured in a CUDA graph. */
export class BatchesOnDevice {
  readonly #setup: OnDeviceSetup;
  readonly #recipe: ViewRecipe;
  #epoch: number | undefined;
  /** The epoch whose random numbers are on the device. */
  #uploaded: number | undefined;
  /** Random numbers that are drawn but not uploaded yet. */
  #drawn: { epoch: number; parts: Drawn[] } | undefined;
  /** For captured steps: `#resident` if the images are on the device, `#staged` if the host uploads them. */
  #resident: DeviceBatches | undefined;
  #staged: StagedBatches | undefined;

  constructor(setup: OnDeviceSetup) {
    this.#setup = setup;
    this.#recipe = new ViewRecipe(setup);
  }

  /** Makes images of this dtype from now on. Must come before {@link captured}. */
  round(dtype: ImageDType): void {
    this.#recipe.round(dtype);
  }

  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#staged?.begin(epoch);
    if (this.#resident) this.#uploadEpoch(this.#resident, epoch);
  }

  /** The number of batches that must be ready in addition to the step's own. */
  get awaitedAhead(): number {
    return this.#staged ? 1 : 0;
  }

  /** Makes the batch of step `step` from these samples, in the view numbered `view`. */
  batch(samples: readonly number[], step: number, view: number): Batch {
    const images = imagesOf(this.#setup.split, samples);
    return { ...this.#made(samples, step, view), views: { number: view, images } };
  }

  #made(samples: readonly number[], step: number, view: number): Batch {
    const { resident } = this.#setup.images;
    const drawn = this.#recipe.draw(samples, view);
    const pixels = resident ?? this.#pixelsOf(drawn, step);
    return this.#recipe.batch(pixels, this.#recipe.upload(drawn), { all: resident !== undefined });
  }

  /** Uploads the images of a batch, followed by those that they are mixed with. */
  #pixelsOf({ order }: Drawn, step: number): Tensor {
    const { images, device } = this.#setup;
    const [, own, , , others] = order.unbind(0) as [Tensor, Tensor, Tensor, Tensor?, Tensor?];
    return upload(images.pixels(others ? torch.cat([own, others]) : own, step), device);
  }

  captured(): CapturedSource {
    return this.#resident ?? this.#staged ?? this.#open();
  }

  #open(): CapturedSource {
    const { images, split, device } = this.#setup;
    const recipe = this.#recipe;
    const epoch = () => this.#epoch ?? 0;
    const sizeAt = (position: number) => this.#samplesAt(epoch(), position).length;
    if (images.resident && recipe.capturable) {
      this.#resident = new DeviceBatches({ images: images.resident, recipe, device, sizeAt });
      if (this.#epoch !== undefined) this.#uploadEpoch(this.#resident, this.#epoch);
      return this.#resident;
    }
    const parts = recipe.capturable ? this.#inParts() : this.#whole();
    // Decoded images are only available in the order of the current epoch.
    this.#staged = new StagedBatches({ ...parts, sizeAt, crosses: !isEncoded(split) });
    this.#staged.begin(epoch());
    return this.#staged;
  }

  /** Uploads pixels and random numbers; the device makes the views. */
  #inParts() {
    const recipe = this.#recipe;
    return {
      bring: (place: Place) => {
        const { samples, step, view } = this.#at(place);
        const drawn = recipe.draw(samples, view);
        return [this.#pixelsOf(drawn, step), ...tensorsOf(recipe.upload(drawn))];
      },
      make: ([pixels, ...drawn]: Tensor[]) => recipe.batch(pixels as Tensor, drawnOf(drawn), { all: false }),
    };
  }

  /** Uploads whole batches, because views that need values on the host cannot be captured. */
  #whole() {
    return {
      bring: (place: Place) => {
        const { samples, step, view } = this.#at(place);
        const { images, labels, indices, views } = this.#made(samples, step, view);
        const { onDevice } = views as Required<Views>;
        return [images, labels, indices, onDevice.numbers, onDevice.images];
      },
      make: (tensors: Tensor[]) => {
        const [images, labels, indices, numbers, shown] = tensors as [Tensor, Tensor, Tensor, Tensor, Tensor];
        return { images, labels, indices, views: { number: 0, images: [], onDevice: { numbers, images: shown } } };
      },
    };
  }

  #at({ epoch, position }: Place): { samples: number[]; step: number; view: number } {
    const step = this.#stepAt(position) ?? 0;
    return { samples: this.#samplesAt(epoch, position), step, view: this.#setup.viewOf(epoch) };
  }

  #samplesAt(epoch: number, position: number): number[] {
    const step = this.#stepAt(position);
    return step === undefined ? [] : this.#setup.samplesOf(epoch, step);
  }

  /** Returns the step whose batch begins at a position; undefined if there is none. */
  #stepAt(position: number): number | undefined {
    const { steps, beginOf } = this.#setup;
    let [from, to] = [0, steps - 1];
    while (from < to) {
      const middle = Math.ceil((from + to) / 2);
      if (beginOf(middle) <= position) from = middle;
      else to = middle - 1;
    }
    return beginOf(from) === position ? from : undefined;
  }

  /**
   * Draws part of the next epoch's random numbers, for about `milliseconds` in which the host would otherwise wait for
   * the device. They are uploaded when that epoch begins.
   */
  drawAhead(milliseconds: number): void {
    if (!this.#resident || this.#epoch === undefined) return;
    const end = performance.now() + milliseconds;
    const parts = this.#partsOf(this.#epoch + 1);
    while (parts.length < this.#setup.steps && performance.now() < end) this.#drawPart(parts, this.#epoch + 1);
  }

  /** Returns the numbers drawn so far for an epoch, batch by batch. */
  #partsOf(epoch: number): Drawn[] {
    if (this.#drawn?.epoch === epoch) return this.#drawn.parts;
    this.#forgetDrawn();
    this.#drawn = { epoch, parts: [] };
    return this.#drawn.parts;
  }

  #drawPart(parts: Drawn[], epoch: number): void {
    const { samplesOf, viewOf } = this.#setup;
    scope(() => {
      const drawn = this.#recipe.draw(samplesOf(epoch, parts.length), viewOf(epoch));
      for (const tensor of tensorsOf(drawn)) keep(tensor);
      parts.push(drawn);
    });
  }

  #forgetDrawn(): void {
    for (const part of this.#drawn?.parts ?? []) for (const tensor of tensorsOf(part)) tensor.dispose();
    this.#drawn = undefined;
  }

  /** Uploads this epoch and the first batch of the next one, for steps that prepare one batch ahead. */
  #uploadEpoch(batches: DeviceBatches, now: number): void {
    if (now === this.#uploaded) return;
    this.#uploaded = now;
    scope(() => {
      const parts = this.#partsOf(now);
      while (parts.length < this.#setup.steps) this.#drawPart(parts, now);
      const all = joined(parts);
      const next = this.#partsOf(now + 1);
      this.#drawPart(next, now + 1);
      batches.begin(now, [all, next[0] as Drawn]);
    });
  }

  dispose(): void {
    this.#forgetDrawn();
    for (const holder of [this.#resident, this.#staged, this.#recipe]) holder?.dispose();
  }
}
