/** A small image folder of synthetic photos, and students trained on it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { type StudentSetup, type TrainEvent, train } from '../../src/index.js';

export const classNames = ['blue', 'green', 'red'];

/** Photos of different sizes and formats whose color tells their class, with noise. */
export async function makePhotos(root: string, perClass = 6): Promise<string> {
  for (const split of ['train', 'val'])
    for (const [channel, name] of [...classNames].reverse().entries()) {
      mkdirSync(join(root, split, name), { recursive: true });
      for (let i = 0; i < perClass; i++) {
        const [width, height] = [40 + 7 * i, 60 - 5 * i];
        const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
          const noise = (at * 7919 + i * 104729 + channel * 15485863) % 120;
          return (at % 3 === channel ? 90 : 40) + noise;
        });
        const image = sharp(data, { raw: { width, height, channels: 3 } });
        const file = join(root, split, name, `${i}`);
        await (i % 2 === 0 ? image.jpeg().toFile(`${file}.jpg`) : image.png().toFile(`${file}.png`));
      }
    }
  return root;
}

/** Trains in a few steps; returns what happened. */
export async function trained(setup: Partial<StudentSetup> & { data: string; out: string }): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  const options = { student: 'resnet8', epochs: 2, batchSize: 6, lr: 0.05, ...setup };
  for await (const event of train(options)) events.push(event);
  return events;
}
