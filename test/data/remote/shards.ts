/** Shards to be served: small ones, and some whose images are so large that they are read part by part. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Dataset, EncodedSet, SplitName } from '../../../src/index.js';

/**
 * Packs `shards` of `images` each, of `bytes` bytes, for both splits with the system's tar; every third shard has one
 * image fewer.
 */
export async function makeShards(folder: string, shards: number, images: number, bytes: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const split of ['train', 'val'])
    for (let shard = 0; shard < shards; shard++) {
      const stage = join(folder, `stage-${split}-${shard}`);
      mkdirSync(stage);
      for (let i = 0; i < images - (shard % 3 === 1 ? 1 : 0); i++) {
        const key = join(stage, `${split}${shard}-${String(i).padStart(3, '0')}`);
        writeFileSync(`${key}.jpg`, await image(20 * shard + i, bytes));
        writeFileSync(`${key}.cls`, String((shard + i) % 4));
      }
      const file = join(folder, `${split}-${String(shard).padStart(3, '0')}.tar`);
      execFileSync('tar', ['-C', stage, '--sort=name', '-cf', file, '.']);
      execFileSync('rm', ['-r', stage]);
    }
  writeFileSync(join(folder, 'classes.txt'), 'ant\nbee\ncat\ndog\n');
}

/** A plain image of one of many colors, in a file of about `bytes`: what stands behind its end is not looked at. */
async function image(number: number, bytes: number): Promise<Buffer> {
  const background = { r: (number * 37) % 256, g: (number * 101) % 256, b: (number * 7) % 256 };
  const jpeg = await sharp({ create: { width: 24, height: 24, channels: 3, background } })
    .jpeg()
    .toBuffer();
  return Buffer.concat([jpeg, randomBytes(Math.max(0, bytes - jpeg.length))]);
}

/** Everything that a split says of its images, with their bytes; names without the folder or host. */
export async function contentOf(data: Dataset, split: SplitName): Promise<unknown[]> {
  const set = data[split] as EncodedSet;
  return Promise.all(
    [...set.labels].map(async (label, i) => [
      label,
      set.nameOf(i).replace(/ in .*\//, ' in '),
      set.shardOf?.(i),
      Buffer.from(await set.read(i)).toString('base64'),
    ]),
  );
}
