/** The images that a classifier accepts, and their pixels as its evaluation sees them. */
import sharp from 'sharp';
import type { CenterView } from '../data/crop.js';
import { decodeView } from '../data/decode.js';
import { readWhole } from '../data/files.js';
import { ArgumentError, DataError, messageOf } from '../errors.js';

/** 8-bit pixels in row-major order, as sharp's `raw()` returns them. */
export interface RawImage {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  /** 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha, which is dropped. */
  channels: 1 | 2 | 3 | 4;
}

/** An image: the path of a file, the bytes of a JPEG, PNG, WebP or TIFF file, or pixels. */
export type ImageInput = string | Uint8Array | ArrayBuffer | RawImage;

/** An image in the form that is sent to another thread. */
export type SentImage = { path: string } | { bytes: Uint8Array; name: string } | { raw: RawImage };

/** Copies an image into memory that can be transferred to another thread. Throws ArgumentError if it is none. */
export function sendable(image: ImageInput, name = 'The image'): { sent: SentImage; transfer: ArrayBuffer[] } {
  if (typeof image === 'string') return { sent: { path: image }, transfer: [] };
  // A Buffer is often a slice of memory that others use as well.
  const copy = (bytes: Uint8Array | Uint8ClampedArray) => Uint8Array.from(bytes);
  if (image instanceof ArrayBuffer || image instanceof Uint8Array) {
    const bytes = copy(image instanceof ArrayBuffer ? new Uint8Array(image) : image);
    return { sent: { bytes, name }, transfer: [bytes.buffer as ArrayBuffer] };
  }
  const { data, width, height, channels } = image ?? {};
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  if (
    !isBytes ||
    !(width > 0 && height > 0) ||
    ![1, 2, 3, 4].includes(channels) ||
    data.length !== width * height * channels
  )
    throw new ArgumentError(
      'An image is the path of a file, its bytes, or { data, width, height, channels } with data of width * height * channels bytes.',
    );
  const bytes = copy(data);
  return { sent: { raw: { data: bytes, width, height, channels } }, transfer: [bytes.buffer as ArrayBuffer] };
}

/** Decodes an image into `target`, [H, W, 3] of the view's crop. Throws DataError naming the image. */
export async function pixelsOf(image: SentImage, view: CenterView, target: Uint8Array): Promise<void> {
  if ('path' in image) await decodeView(readWhole(image.path), image.path, view, target);
  else if ('bytes' in image) await decodeView(image.bytes, image.name, view, target);
  else await decodeView(await lossless(image.raw), 'The image', view, target);
}

/** Encodes pixels losslessly as a file, so that the same decoder reads them. */
async function lossless({ data, width, height, channels }: RawImage): Promise<Uint8Array> {
  try {
    return await sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 0 }).toBuffer();
  } catch (error) {
    throw new DataError(`The pixels of an image cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}
