/** Synthetic photos to decode: drawn shapes, enlarged to JPEG files. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { drawShapes } from '../data/datasets/shapes.js';

/** The size of a typical ImageNet photo, in pixels. */
const [width, height] = [500, 375];
const edge = 32;

/** Writes an image folder with `count` training images of two classes, and a few test images. */
export async function drawPhotos(folder: string, count: number): Promise<void> {
  for (const [split, images] of Object.entries({ train: count, val: 2 })) {
    const drawn = drawShapes(7, 'train', images).images;
    for (const name of ['even', 'odd']) mkdirSync(join(folder, split, name), { recursive: true });
    for (let i = 0; i < images; i++) {
      const planes = drawn.subarray(i * 3 * edge * edge, (i + 1) * 3 * edge * edge);
      // Converts planes [C, H, W] to pixels [H, W, C].
      const pixels = Uint8Array.from(
        { length: planes.length },
        (_, at) => planes[(at % 3) * edge * edge + Math.floor(at / 3)] as number,
      );
      await sharp(pixels, { raw: { width: edge, height: edge, channels: 3 } })
        .resize(width, height, { fit: 'fill' })
        .jpeg({ quality: 90 })
        .toFile(join(folder, split, i % 2 === 0 ? 'even' : 'odd', `${i}.jpg`));
    }
  }
}
