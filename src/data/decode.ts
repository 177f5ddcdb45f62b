/** From the bytes of a JPEG, PNG or WebP file to pixels of one size, off the main thread. */
import sharp, { type Sharp } from 'sharp';
import { DataError, messageOf } from '../errors.js';
import { fromArray, functions, scope } from '../tensor/index.js';
import { type Box, type CenterView, centerView, usualView } from './crop.js';
import { decodeTurbo, mostPixels, type Part } from './turbo-jpeg.js';

// Images are decoded side by side, each by one thread; and each is decoded once, so that a cache only holds memory.
sharp.concurrency(1);
sharp.cache(false);

// Bilinear, over all source pixels that a target pixel covers: torchvision's antialias.
const kernel = 'linear';

export type Crop = (width: number, height: number) => Box;

/** Memory for an image of `height` x `width`, into which another thread may write. */
export const pixelsFor = (height: number, width = height): Uint8Array =>
  new Uint8Array(new SharedArrayBuffer(height * width * 3));

/**
 * RGB pixels, row by row, [size, size, 3], in `target` (of {@link pixelsFor}): the part of the image that `crop`
 * chooses from its size, or without one the evaluation's usual view. As with torchvision, neither EXIF orientation nor
 * color profile is applied, and alpha is dropped. Throws DataError naming `name` where the bytes are no whole image.
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

/** The same for a view of the evaluation: RGB pixels [height, width, 3] of the part that it crops. */
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

/** What becomes the pixels of an image, by its size. */
type Choice = (width: number, height: number) => Part;

/**
 * libjpeg-turbo takes what is well, and writes to the target itself; of the rest libvips says what is wrong with it.
 */
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
    // libvips tells each of its complaints in a line of its own.
    const why = messageOf(error)
      .trim()
      .replace(/\s*\n\s*/g, '; ');
    throw new DataError(`${name} cannot be decoded: ${why}. Replace the file, or remove it.`, {
      cause: error,
    });
  }
}

/**
 * A part, resized. Where four or more of its pixels make one, libjpeg scales by 1/2, 1/4 or 1/8 while it decodes, to no
 * less than twice the resolution that is needed. The part then lies within a quarter of a target pixel of its place.
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

/** `inks` chooses the part of an image that is not in RGB, `usual` makes the pixels of any other. */
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
 * A part, resized. Where two or more of its pixels make one, the whole is resized and the part taken afterwards, as
 * libvips then may read fewer pixels. The part then lies within half a target pixel of its place. Otherwise libtorch
 * resizes it, which takes a fraction of libvips' time.
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

/** A part whose pixels are all of the size that is wanted. */
const uncut = (box: Box, size: number): Part => ({
  box,
  denominator: 1,
  resized: { width: size, height: size, left: 0, top: 0 },
});

/**
 * A part of an image of `width` pixels across, resized to `whole`, and of that `rows` x `columns` pixels. Bilinear with
 * antialiasing, as torchvision resizes tensors of bytes. On this thread: it takes a tenth of what decoding does, and a
 * thread of its own would bring threads of OpenMP with it.
 */
function partOf(
  rgb: Uint8Array,
  width: number,
  box: Box,
  whole: Part['resized'],
  [rows, columns]: readonly [number, number],
): Uint8Array {
  // A strip of one pixel across would be resized to as many lines as it is long.
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

/**
 * Pixels of an image in inks (cyan, magenta, yellow, black), by Pillow's rule: (255 - ink) (255 - black) / 255,
 * rounded.
 */
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
