import { statSync } from 'node:fs';
import { openDataset } from '../../data/datasets/index.js';
import { writePacked } from '../../data/formats/packed.js';
import { writeShards } from '../../data/formats/shard-writer.js';
import { remoteOf, remoteOptions } from '../../data/remote/options.js';
import { z } from '../../options.js';
import { Progress } from '../../report/terminal.js';
import { defineCommand } from '../command.js';

export const packCommand = defineCommand({
  name: 'pack',
  summary: 'write a data set as one file that runs map into memory, or as tar shards',
  arguments: [{ syntax: '<data>', description: 'data set as kind:path, such as folder:DIR?size=64' }],
  options: z.strictObject({
    out: z.string().describe('file to write'),
    shards: z
      .int()
      .min(1)
      .optional()
      .describe('make --out a folder of tar shards with this many images each, instead of one file'),
    ...remoteOptions.shape,
    json: z.boolean().default(false).describe('print what was written as JSON'),
  }),
  examples: [
    "srrl pack 'folder:DIR?size=64' --out photos.pack",
    'srrl distill --data packed:photos.pack --teacher teacher.pt',
    'srrl pack folder:DIR --shards 1000 --out shards',
  ],
  async run({ out, shards: perShard, json, ...options }, [source = '']) {
    const data = await openDataset(source, remoteOf(options));
    const images = data.train.labels.length + data.test.labels.length;
    const progress = new Progress(images, 'images', { quiet: json });
    const onProgress = (done: number) => progress.update(done);
    let written: object;
    try {
      if (perShard === undefined) {
        await writePacked(data, out, onProgress);
        written = { bytes: statSync(out).size };
      } else written = { shards: await writeShards(data, out, { images: perShard, onProgress }) };
    } finally {
      progress.stop();
    }
    const { skipped } = data;
    if (skipped && !json) console.error(`skipped files: ${skipped}`);
    const result = { file: out, images, classes: data.classes.length, ...written, ...(skipped && { skipped }) };
    const [[unit, count] = []] = Object.entries(written);
    console.log(json ? JSON.stringify(result) : `${images} images in ${out}, ${count} ${unit}`);
  },
});
