/** Decodes JPEG, PNG and WebP files to pixels of one size, off the main thread. */
import sharp, { type Sharp } from 'sharp';
import { DataError, messageOf } from '../errors.js';
import { fromArray, functions, scope } from '../tensor/index.js';
import { type Box, type CenterView, centerView, usualView } from './crop.js';
import { decodeTurbo, mostPixels, type Part } from './turbo-jpeg.js';

// Images are decoded in parallel, one thread each. Each is decoded once, so a cache would only use memory.
sharp.concurrency(1);
sharp.cache(false);

// Bilinear over all source pixels that a target pixel covers, as torchvision does with antialias.
const kernel = 'linear';

export type Crop = (width: number, height: number) => Box;

/** Allocates memory for an RGB image [height, width, 3] that another thread can write to. */
export const pixelsFor = (height: number, width = height): Uint8Array =>
  new Uint8Array(new SharedArrayBuffer(height * width * 3));

/**
 * Decodes to RGB pixels [size, size, 3] in `target` (made by {@link pixelsFor}): the part of the image that `crop`
 * chooses from its size, by default the usual evaluation view. As in torchvision, EXIF orientation and color profile
 * are ignored and alpha is dropped. Throws DataError naming `name` if the bytes are not a complete image.
 */
export function decode(
  bytes: Uint8Array,
  name: string,
  size: number,
  crop?: Crop,
  target: Uint8Array = pixelsFor(size),
): Promise<Uint8Array> {
  if (!crop) return decodeView(bytes, name, usualView(size), target);
  const choose: Choice = (width, height) => croppedPart(crop(width, height), width, height, size);
  return decoded(name, target, async () => {
    if (await decodeTurbo(bytes, target, [size, size], choose)) return undefined;
    const inks = (width: number, height: number) => uncut(crop(width, height), size);
    return decodeSharp(bytes, [size, size], inks, (w, h) => cropped(bytes, crop(w, h), w, h, size));
  });
}

/** Like {@link decode}, for an evaluation view: RGB pixels [height, width, 3] of its crop. */
export function decodeView(
  bytes: Uint8Array,
  name: string,
  view: CenterView,
  target: Uint8Array = pixelsFor(...view.crop),
): Promise<Uint8Array> {
  const choose: Choice = (width, height) => centredPart(width, height, view);
  return decoded(name, target, async () =>
    (await decodeTurbo(bytes, target, view.crop, choose))
      ? undefined
      : decodeSharp(bytes, view.crop, choose, (w, h) => pixels(centred(bytes, w, h, view))),
  );
}

/** Chooses the part of an image to decode from the image's size. */
type Choice = (width: number, height: number) => Part;

/** libjpeg-turbo decodes valid files and writes to the target itself; libvips decodes the rest and reports errors. */
async function decoded(
  name: string,
  target: Uint8Array,
  make: () => Promise<Uint8Array | undefined>,
): Promise<Uint8Array> {
  try {
    const made = await make();
    if (made) target.set(made);
    return target;
  } catch (error) {
    // libvips reports each problem on a line of its own.
    const why = messageOf(error)
      .trim()
      .replace(/\s*\n\s*/g, '; ');
    throw new DataError(`${name} cannot be decoded: ${why}. Replace the file, or remove it.`, {
      cause: error,
    });
  }
}

/**
 * Returns a part to crop and resize. When shrinking by 4 or more, libjpeg scales by 1/2, 1/4 or 1/8 while it decodes,
 * to at least twice the needed resolution. The part is then off by at most a quarter of a target pixel.
 */
function croppedPart(box: Box, width: number, height: number, size: number): Part {
  const resized = { width: size, height: size, left: 0, top: 0 };
  const reduction = Math.min(box.width, box.height) / size;
  const denominator = ([8, 4, 2] as const).find((scale) => 2 * scale <= reduction) ?? 1;
  const along = (from: number, length: number, whole: number) => {
    const end = Math.min(Math.round((from + length) / denominator), Math.ceil(whole / denominator));
    const begin = Math.min(Math.round(from / denominator), end - 1);
    return [begin, end - begin] as const;
  };
  const [left, w] = along(box.left, box.width, width);
  const [top, h] = along(box.top, box.height, height);
  return { box: { left, top, width: w, height: h }, denominator, resized };
}

function centredPart(width: number, height: number, rule: CenterView): Part {
  const view = centerView(width, height, rule);
  const { left, top } = view.box;
  return {
    box: { left: 0, top: 0, width, height },
    denominator: 1,
    resized: { width: view.width, height: view.height, left, top },
  };
}

/** `inks` chooses the part for an image that is not RGB; `usual` makes the pixels of any other image. */
async function decodeSharp(
  bytes: Uint8Array,
  size: readonly [number, number],
  inks: Choice,
  usual: (width: number, height: number) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const { width, height, space } = await open(bytes).metadata();
  if (!width || !height) throw new DataError('it has no size');
  if (space !== 'cmyk') return usual(width, height);
  const { box, resized: whole } = inks(width, height);
  return partOf(await rgbOfInks(bytes), width, box, whole, size);
}

const open = (bytes: Uint8Array): Sharp => sharp(bytes, { failOn: 'error', ignoreIcc: true });

/**
 * Crops and resizes. When shrinking by 2 or more, the whole image is resized before the crop, so that libvips can read
 * fewer pixels; the part is then off by at most half a target pixel. Otherwise libtorch resizes it, in a fraction of
 * libvips' time.
 */
async function cropped(bytes: Uint8Array, box: Box, width: number, height: number, size: number): Promise<Uint8Array> {
  const [across, down] = [box.width / size, box.height / size];
  if (Math.min(across, down) < 2) {
    const rgb = await pixels(open(bytes).extract(box));
    return partOf(rgb, box.width, { ...box, left: 0, top: 0 }, uncut(box, size).resized, [size, size]);
  }
  const [w, h] = [Math.round(width / across), Math.round(height / down)];
  const inside = (position: number, whole: number) => Math.max(0, Math.min(Math.round(position), whole - size));
  return pixels(
    open(bytes)
      .resize(w, h, { fit: 'fill', kernel })
      .extract({ left: inside(box.left / across, w), top: inside(box.top / down, h), width: size, height: size }),
  );
}

/** A part that already has the size of the target. */
const uncut = (box: Box, size: number): Part => ({
  box,
  denominator: 1,
  resized: { width: size, height: size, left: 0, top: 0 },
});

/**
 * Resizes an image of `width` columns to `whole` and returns `rows` x `columns` pixels of it, bilinear with
 * antialiasing, as torchvision resizes byte tensors. Runs on this thread: it takes a tenth of the decoding time, and a
 * separate thread would start OpenMP threads of its own.
 */
function partOf(
  rgb: Uint8Array,
  width: number,
  box: Box,
  whole: Part['resized'],
  [rows, columns]: readonly [number, number],
): Uint8Array {
  // A strip one pixel wide would be resized to as many rows as it is long.
  if (whole.width * whole.height > mostPixels)
    throw new DataError(`it would be resized to ${whole.width} x ${whole.height} pixels`);
  return scope(() => {
    const image = fromArray(rgb, [1, rgb.length / width / 3, width, 3]).permute(0, 3, 1, 2);
    const part = image.narrow(2, box.top, box.height).narrow(3, box.left, box.width);
    const result = functions._upsampleBilinear2dAa(part, [whole.height, whole.width], false);
    const seen = result.narrow(2, whole.top, rows).narrow(3, whole.left, columns);
    return seen.permute(0, 2, 3, 1).toTypedArray() as Uint8Array;
  });
}

/** Converts CMYK pixels to RGB by Pillow's rule: (255 - ink) (255 - black) / 255, rounded. */
async function rgbOfInks(bytes: Uint8Array): Promise<Uint8Array> {
  const inks = await open(bytes).pipelineColourspace('cmyk').toColourspace('cmyk').removeAlpha().raw().toBuffer();
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let i = 0; i < rgb.length; i++) {
    const pixel = 4 * Math.floor(i / 3);
    const light = (255 - (inks[pixel + (i % 3)] as number)) * (255 - (inks[pixel + 3] as number));
    rgb[i] = Math.round(light / 255);
  }
  return rgb;
}

function centred(bytes: Uint8Array, width: number, height: number, rule: CenterView): Sharp {
  const view = centerView(width, height, rule);
  return open(bytes)
    .resize(view.width, view.height, { fit: 'fill', kernel, fastShrinkOnLoad: false })
    .extract(view.box);
}

async function pixels(image: Sharp): Promise<Uint8Array> {
  const { data, info } = await image.toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true });
  if (info.channels === 3) return data;
  if (info.channels !== 1) throw new DataError(`it has ${info.channels} channels`);
  return Uint8Array.from({ length: data.length * 3 }, (_, i) => data[Math.floor(i / 3)] as number);
}
