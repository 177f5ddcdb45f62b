/**
 * Makes batches on a device: the host draws random numbers, per epoch or per batch, and operators that a CUDA graph can
 * contain make batches from them.
 */
import type { Batch } from '../flow.js';
import { fromArray, keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { changesFloats, cropsFloats, floatAugmentation } from './augment/index.js';
import { drawMixes, type Mix, mix, mixColumns, mixNumbers } from './augment/mix.js';
import { resizedCrop } from './augment/resized-crop.js';
import { type Augmentation, type Draw, deviceParameters, type Parameters } from './augment/rows.js';
import { drawViews, type ImageDType, mirrored, pixelTable, rowsOf, upload, viewsOn } from './device-views.js';
import type { BatchSetup } from './host-batches.js';
import { asTheyAre, isEncoded, normalized } from './images.js';
import { SampleRandom, streams } from './philox.js';
import { imagesOf, plainView } from './plain-view.js';

export interface RecipeSetup extends BatchSetup {
  device: string;
}

/** The random numbers of some samples, on the host or on the device. */
export interface Drawn {
  /**
   * int64 [3, N]: sample, image and view numbers. With mixing [5, N]: also the samples and images that they are mixed
   * with.
   */
  order: Tensor;
  /** Begin of each crop and whether it is mirrored, int64 [N, 3]; with mixing [N, 6], partners included. */
  places: Tensor;
  /** Numbers of the augmentations, float32 [N, columns]; absent if there are none. */
  numbers?: Tensor;
  /** Used on the host only: draws for random resized crops of the images and of their mixing partners. */
  resized?: readonly Draw[];
}

/** The rows of {@link Drawn.order}. */
type Columns = [indices: Tensor, images: Tensor, views: Tensor, partners?: Tensor, others?: Tensor];

export class ViewRecipe {
  readonly #setup: RecipeSetup;
  readonly #encoded: boolean;
  /** Maps pixel values to normalized floats, or to 0..1 if further augmentations follow. */
  #table: Tensor;
  #dtype: ImageDType = 'float32';
  readonly #floats: Augmentation | undefined;
  /** Whether images are mixed with others. */
  readonly mixes: boolean;

  constructor(setup: RecipeSetup) {
    this.#setup = setup;
    const { data, split, augment, device } = setup;
    this.#encoded = isEncoded(split);
    if (augment && changesFloats(augment, this.#encoded)) this.#floats = floatAugmentation(augment, data.mean);
    this.mixes = augment?.mixup !== undefined || augment?.cutmix !== undefined;
    this.#table = scope(() => keep(pixelTable(this.#floats ? asTheyAre(data.channels) : data, device)));
  }

  /** Makes batches of this dtype from now on. */
  round(dtype: ImageDType): void {
    const { data, device } = this.#setup;
    this.#dtype = dtype;
    if (this.#floats) return;
    this.#table.dispose();
    this.#table = scope(() => keep(pixelTable(data, device, dtype)));
  }

  /** Whether {@link batch} needs nothing from the host; resized crops do, since each has its own size. */
  get capturable(): boolean {
    const { augment } = this.#setup;
    return !augment || !cropsFloats(augment, this.#encoded);
  }

  /** Draws the random numbers of samples in the view numbered `view`. */
  draw(samples: readonly number[], view: number): Drawn {
    const { split, seed, augment } = this.#setup;
    const images = imagesOf(split, samples);
    const mixes =
      augment && this.mixes ? drawMixes({ seed, epoch: view, images }, split.labels.length, augment) : undefined;
    const partners = mixes?.map(({ partner }) => partner) ?? [];
    const others = imagesOf(split, partners);
    const order = [samples, images, samples.map(() => view), ...(mixes ? [partners, others] : [])];
    const places = [images, ...(mixes ? [others] : [])].map((numbers) => this.#placesOf(numbers, view));
    const numbers = this.#numbersOf(images, others, mixes, view);
    return {
      order: torch.stack(order.map(rowsOf)),
      places: torch.cat(places, 1),
      ...(numbers && { numbers }),
      ...(!this.capturable && { resized: [images, others].map((some) => ({ seed, epoch: view, images: some })) }),
    };
  }

  /** Returns the numbers of each image, of its mixing partner, and of the mix. */
  #numbersOf(
    images: readonly number[],
    others: readonly number[],
    mixes: readonly Mix[] | undefined,
    view: number,
  ): Tensor | undefined {
    const { seed, data } = this.#setup;
    const { height, width } = data;
    const floats = this.#floats;
    const columns = (floats?.columns ?? 0) * (mixes ? 2 : 1) + (mixes ? mixColumns : 0);
    if (!floats || columns === 0) return undefined;
    const table = new Float32Array(images.length * columns);
    for (const [i, image] of images.entries()) {
      const drawn = (one: number) => floats.draw({ seed, epoch: view, image: one, height, width });
      table.set(drawn(image), i * columns);
      if (!mixes) continue;
      table.set(drawn(others[i] as number), i * columns + floats.columns);
      table.set(mixNumbers(mixes[i] as Mix, height, width), i * columns + 2 * floats.columns);
    }
    return fromArray(table, [images.length, columns]);
  }

  #placesOf(images: readonly number[], view: number): Tensor {
    const { data, augment, seed } = this.#setup;
    const { pad, flip } = plainView(data, augment);
    if (this.#encoded)
      return mirrored(images.map((image) => flip && new SampleRandom(seed, streams.flip, image, view).below(2) === 1));
    return drawViews(images, { pad, flip, seed, epoch: view });
  }

  /** Copies the numbers to the device. */
  upload({ order, places, numbers, ...rest }: Drawn): Drawn {
    const { device } = this.#setup;
    return {
      ...rest,
      order: upload(order, device),
      places: upload(places, device),
      ...(numbers && { numbers: upload(numbers, device) }),
    };
  }

  /**
   * Makes a batch from drawn numbers with operators of the device. `pixels`, uint8 [M, C, H, W], are all images, or
   * without `all` those of this batch followed by their mixing partners.
   */
  batch(pixels: Tensor, drawn: Drawn, { all }: { all: boolean }): Batch {
    return noGrad(() => {
      const { labels, device } = this.#setup;
      const [indices, images, views, partners, others] = drawn.order.unbind(0) as Columns;
      const count = indices.shape[0] as number;
      const brought = (which: 0 | 1) => torch.arange(count, { dtype: 'int64', device }).add(which * count);
      const rows = [all ? images : brought(0), all ? others : brought(1)];
      const plain = (which: 0 | 1) => {
        const places = this.mixes ? drawn.places.narrow(1, 3 * which, 3).contiguous() : drawn.places;
        return viewsOn(pixels, rows[which] as Tensor, places, this.#table);
      };
      const own = labels.indexSelect(0, indices);
      const seen = this.#floats
        ? this.#changed(this.#floats, plain, drawn, { own, partners })
        : { images: plain(0), labels: own };
      return { ...seen, indices, views: { number: 0, images: [], onDevice: { numbers: views, images } } };
    });
  }

  #changed(
    floats: Augmentation,
    plain: (which: 0 | 1) => Tensor,
    drawn: Drawn,
    { own, partners }: { own: Tensor; partners: Tensor | undefined },
  ): { images: Tensor; labels: Tensor } {
    const { data, augment } = this.#setup;
    const parameters = deviceParameters(drawn.numbers);
    const changed = (which: 0 | 1) => {
      const part = drawn.resized?.[which];
      const whole = part && augment ? resizedCrop(plain(which), part, augment) : plain(which);
      return floats.apply(whole, parameters.from(which * floats.columns));
    };
    const mine = { images: changed(0), labels: own };
    const theirs = partners && { images: changed(1), partners };
    const seen = theirs ? this.#mixed(mine, theirs, parameters.from(2 * floats.columns)) : mine;
    const normal = normalized(seen.images, data);
    return { images: normal.to({ dtype: this.#dtype, memoryFormat: 'channelsLast' }), labels: seen.labels };
  }

  #mixed(
    own: { images: Tensor; labels: Tensor },
    { images, partners }: { images: Tensor; partners: Tensor },
    parameters: Parameters,
  ): { images: Tensor; labels: Tensor } {
    const { data, labels, device } = this.#setup;
    const classes = torch.arange(data.classes.length, { dtype: 'int64', device });
    // oneHot() would read the labels on the host first.
    const oneHot = (some: Tensor) => some.unsqueeze(1).eq(classes).to('float32');
    return mix(
      { images: own.images, labels: oneHot(own.labels) },
      { images, labels: oneHot(labels.indexSelect(0, partners)) },
      parameters,
    );
  }

  dispose(): void {
    this.#table.dispose();
  }
}

/** Returns the tensors of drawn numbers in a fixed order. */
export const tensorsOf = ({ order, places, numbers }: Drawn): Tensor[] => [
  order,
  places,
  ...(numbers ? [numbers] : []),
];

/** The inverse of {@link tensorsOf}. */
export const drawnOf = ([order, places, numbers]: readonly Tensor[]): Drawn =>
  ({ order, places, ...(numbers && { numbers }) }) as Drawn;

/** Concatenates the numbers of consecutive samples. */
export function joined(parts: readonly Drawn[]): Drawn {
  const numbers = parts.flatMap((part) => part.numbers ?? []);
  return {
    order: torch.cat(
      parts.map(({ order }) => order),
      1,
    ),
    places: torch.cat(parts.map(({ places }) => places)),
    ...(numbers.length > 0 && { numbers: torch.cat(numbers) }),
  };
}
