/**
 * Decodes JPEG files with libjpeg-turbo: only the needed part, decoded and resized in one pass, on libuv's thread pool.
 */
import { createRequire } from 'node:module';
import { callOverload, callOverloadAsync, fromArray, keep, overloadOf } from '../tensor/index.js';
import type { Box } from './crop.js';

/** The part of an image that is decoded, and the size it is resized to. */
export interface Part {
  /** In pixels of the image scaled by 1 / `denominator`, which libjpeg does while it decodes. */
  box: Box;
  denominator: 1 | 2 | 4 | 8;
  /** The size that the box is resized to, and where the returned pixels begin in it. */
  resized: { width: number; height: number; left: number; top: number };
}

/** The most pixels that an image may have; libvips has the same limit. */
export const mostPixels = 0x3fff ** 2;

const require = createRequire(import.meta.url);
let available: boolean | undefined;

/**
 * Finds libjpeg-turbo, once. The package's own functions do not fit: they use libjpeg's fast, inexact transform and
 * decode the whole image. So its addon's path locates the library, whose C interface is called directly.
 */
function isAvailable(): boolean {
  if (available !== undefined) return available;
  try {
    require('@julusian/jpeg-turbo');
    const addon = Object.keys(require.cache).find((file) => /[\\/]jpeg-turbo[\\/].*\.node$/.test(file));
    available = addon !== undefined && (callOverload(overloadOf('srrl::open_turbo_jpeg'), [addon]) as boolean);
  } catch {
    // Not installed, or not built for this machine.
    available = false;
  }
  return available;
}

/**
 * Decodes the part that `choose` picks from the image's size into `target`, [height, width, 3] in shared memory.
 * Returns false if the file is not an 8-bit JPEG in RGB or gray, or has any error: then another decoder reports what it
 * is.
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

/** Starts the work on another thread, which keeps the tensors alive from then on. */
function begin(...[file, target, size, choose]: Parameters<typeof decodeTurbo>): Promise<unknown> | undefined {
  const bytes = keep(fromArray(file));
  const pixels = keep(fromArray(target, [...size, 3], { share: true }));
  try {
    const [width, height] = callOverload(overloadOf('srrl::jpeg_size'), [bytes]) as [number, number];
    // libvips reports that larger images are too large.
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
