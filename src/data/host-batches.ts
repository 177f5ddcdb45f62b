import type { Batch } from '../flow.js';
import { noGrad, type Tensor, functions as torch } from '../tensor/index.js';
import { changesFloats, cropsFloats, type EffectiveAugmentOptions, floatAugmentation } from './augment/index.js';
import { drawMixes, mix, mixNumbers } from './augment/mix.js';
import { resizedCrop } from './augment/resized-crop.js';
import { type Augmentation, hostParameters } from './augment/rows.js';
import type { Dataset, Split } from './dataset.js';
import { rowsOf } from './device-views.js';
import { type ImageSource, isEncoded, normalized, type View } from './images.js';
import { imagesOf, plainView } from './plain-view.js';

export interface BatchSetup {
  data: Dataset;
  split: Split;
  augment: EffectiveAugmentOptions | undefined;
  seed: number;
  images: ImageSource;
  /** The labels of all samples, on the device where batches are made. */
  labels: Tensor;
}

/** Makes batches on the CPU. */
export class HostBatches {
  readonly #setup: BatchSetup;
  readonly #encoded: boolean;
  readonly #floats: Augmentation | undefined;

  constructor(setup: BatchSetup) {
    this.#setup = setup;
    const { data, split, augment } = setup;
    this.#encoded = isEncoded(split);
    if (augment && changesFloats(augment, this.#encoded)) this.#floats = floatAugmentation(augment, data.mean);
  }

  /** Makes the batch of step `step` from these samples, in the view numbered `view`. */
  batch(samples: readonly number[], step: number, view: number): Batch {
    const { split, labels } = this.#setup;
    const indices = rowsOf(samples);
    const own = labels.indexSelect(0, indices);
    const seen = noGrad(() => this.#seen(samples, step, view, own));
    return { ...seen, indices, views: { number: view, images: imagesOf(split, samples) } };
  }

  #seen(samples: readonly number[], step: number, view: number, own: Tensor): { images: Tensor; labels: Tensor } {
    const { data, split, augment, images, seed } = this.#setup;
    const { mean, std } = data;
    const numbers = imagesOf(split, samples);
    const plain: View = { seed, epoch: view, ...plainView(data, augment) };
    const floats = this.#floats;
    if (!floats || !augment)
      return { images: images.take(numbers, step, { ...plain, normalize: { mean, std } }), labels: own };
    const seen = (some: readonly number[]) => {
      const draw = { seed, epoch: view, images: some };
      const taken = images.take(some, step, plain);
      const whole = cropsFloats(augment, this.#encoded) ? resizedCrop(taken, draw, augment) : taken;
      const { height, width } = data;
      return floats.apply(
        whole,
        hostParameters(some.map((image) => floats.draw({ seed, epoch: view, image, height, width }))),
      );
    };
    const { mixup, cutmix } = augment;
    const mixed =
      mixup || cutmix ? this.#mixed(numbers, view, { images: seen(numbers), labels: own }, seen) : undefined;
    const { images: made, labels } = mixed ?? { images: seen(numbers), labels: own };
    return { images: normalized(made, data).contiguous({ memoryFormat: 'channelsLast' }), labels };
  }

  #mixed(
    numbers: readonly number[],
    view: number,
    own: { images: Tensor; labels: Tensor },
    seen: (images: readonly number[]) => Tensor,
  ): { images: Tensor; labels: Tensor } {
    const { data, split, seed, labels, augment = {} } = this.#setup;
    const { height, width, classes } = data;
    const mixes = drawMixes({ seed, epoch: view, images: numbers }, split.labels.length, augment);
    const partners = mixes.map(({ partner }) => partner);
    const oneHot = (some: Tensor) => torch.oneHot(some, classes.length).to('float32');
    return mix(
      { images: own.images, labels: oneHot(own.labels) },
      { images: seen(imagesOf(split, partners)), labels: oneHot(labels.indexSelect(0, rowsOf(partners))) },
      hostParameters(mixes.map((one) => mixNumbers(one, height, width))),
    );
  }

  readonly awaitedAhead = 0;

  begin(): void {}

  captured(): undefined {}

  drawAhead(): void {}

  dispose(): void {}
}
