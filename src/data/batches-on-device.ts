import type { Batch, Views } from '../flow.js';
import { keep, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { CapturedSource, Place } from './captured.js';
import { DeviceBatches } from './device-batches.js';
import { upload } from './device-views.js';
import type { BatchSetup } from './host-batches.js';
import { isEncoded } from './images.js';
import { imagesOf } from './plain-view.js';
import { StagedBatches } from './staged-batches.js';
import { type Drawn, drawnOf, joined, tensorsOf, ViewRecipe } from './view-recipe.js';

export interface OnDeviceSetup extends BatchSetup {
  device: string;
  /** Batches an epoch. */
  steps: number;
  /** Where a batch begins among the samples of an epoch. */
  beginOf: (step: number) => number;
  /** The samples of a batch; none where the epoch has no such batch. */
  samplesOf: (epoch: number, step: number) => number[];
  /** The number of the views of an epoch. */
  viewOf: (epoch: number) => number;
}

/** Makes batches on a device: those that the host asks for one by one, and those of steps that are captured. */
export class BatchesOnDevice {
  readonly #setup: OnDeviceSetup;
  readonly #recipe: ViewRecipe;
  #epoch: number | undefined;
  /** The epoch whose numbers lie on the device. */
  #uploaded: number | undefined;
  /** What was drawn, before it is uploaded. */
  #drawn: { epoch: number; parts: Drawn[] } | undefined;
  /** For captured steps: of images that lie on the device, or that are brought there. */
  #resident: DeviceBatches | undefined;
  #staged: StagedBatches | undefined;

  constructor(setup: OnDeviceSetup) {
    this.#setup = setup;
    this.#recipe = new ViewRecipe(setup);
  }

  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#staged?.begin(epoch);
    if (this.#resident) this.#uploadEpoch(this.#resident, epoch);
  }

  /** The batches that a step has to wait for in addition to its own. */
  get awaitedAhead(): number {
    return this.#staged ? 1 : 0;
  }

  /** Of these samples, those of step `step`, in a view of theirs. */
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

  /** Uploads the images of a batch, and behind them those that they are mixed with. */
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
    // What is decoded comes in the order of its epoch.
    this.#staged = new StagedBatches({ ...parts, sizeAt, crosses: !isEncoded(split) });
    this.#staged.begin(epoch());
    return this.#staged;
  }

  /** Pixels and what was drawn are brought; the device makes views of them. */
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

  /** Whole batches are brought: what the host has to know for their views cannot be captured. */
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

  /** The batch that begins at a position. */
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
   * Draws some of the next epoch, which is uploaded when that begins: for about so many milliseconds in which the host
   * would wait for the device.
   */
  drawAhead(milliseconds: number): void {
    if (!this.#resident || this.#epoch === undefined) return;
    const end = performance.now() + milliseconds;
    const parts = this.#partsOf(this.#epoch + 1);
    while (parts.length < this.#setup.steps && performance.now() < end) this.#drawPart(parts, this.#epoch + 1);
  }

  /** What is drawn of an epoch by now, batch by batch. */
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

  /** This epoch and, for whoever is a batch ahead, the first batch of the next one. */
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
