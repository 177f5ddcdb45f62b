/**
 * JPEG files by libjpeg-turbo: the part that is looked at is decoded and resized in one pass, on a thread of libuv's
 * pool.
 */
import { createRequire } from 'node:module';
import { callOverload, callOverloadAsync, fromArray, keep, overloadOf } from '../tensor/index.js';
import type { Box } from './crop.js';

/** What of an image becomes pixels of a given size. */
export interface Part {
  /** In pixels of the image at 1 / `denominator` of its size, to which libjpeg scales while it decodes. */
  box: Box;
  denominator: 1 | 2 | 4 | 8;
  /** What the box is resized to, and where the pixels that are wanted begin in it. */
  resized: { width: number; height: number; left: number; top: number };
}

/** Pixels that an image may have; libvips has the same limit. */
export const mostPixels = 0x3fff ** 2;

const require = createRequire(import.meta.url);
let available: boolean | undefined;

/**
 * Finds libjpeg-turbo, once. The package's own functions are of no use: they choose libjpeg's fast, inexact transform
 * and decode the whole image. Its addon is found where it was loaded from, and its library's C interface called.
 */
function isAvailable(): boolean {
  if (available !== undefined) return available;
  try {
    require('@julusian/jpeg-turbo');
    const addon = Object.keys(require.cache).find((file) => /[\\/]jpeg-turbo[\\/].*\.node$/.test(file));
    available = addon !== undefined && (callOverload(overloadOf('srrl::open_turbo_jpeg'), [addon]) as boolean);
  } catch {
    // Not installed, or not for this machine.
    available = false;
  }
  return available;
}

/**
 * Decodes into `target`, [height, width, 3], which lies in shared memory, what `choose` wants of an image of the size
 * it is given. False, where the file is no JPEG of 8 bits in RGB or gray, or anything at all is wrong with it: then
 * somebody else may decide what it is.
 */
export async function decodeTurbo(
  file: Uint8Array,
  target: Uint8Array,
  size: readonly [height: number, width: number],
  choose: (width: number, height: number) => Part,
): Promise<boolean> {
  if (file[0] !== 0xff || file[1] !== 0xd8 || !isAvailable()) return false;
  const decoding = begin(file, target, size, choose);
  if (!decoding) return false;
  return decoding.then(
    () => true,
    () => false,
  );
}

/** Hands the work to another thread, which holds the tensors from then on. */
function begin(...[file, target, size, choose]: Parameters<typeof decodeTurbo>): Promise<unknown> | undefined {
  const bytes = keep(fromArray(file));
  const pixels = keep(fromArray(target, [...size, 3], { share: true }));
  try {
    const [width, height] = callOverload(overloadOf('srrl::jpeg_size'), [bytes]) as [number, number];
    // Of larger ones libvips says that they are too large.
    if (!width || !height || width * height > mostPixels) return undefined;
    const { box, denominator, resized } = choose(width, height);
    return callOverloadAsync(overloadOf('srrl::decode_jpeg'), [
      bytes,
      pixels,
      [box.left, box.top, box.width, box.height],
      denominator,
      [resized.height, resized.width],
      [resized.top, resized.left],
    ]);
  } finally {
    bytes.dispose();
    pixels.dispose();
  }
}
