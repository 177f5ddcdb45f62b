import { statSync } from 'node:fs';
import { openDataset } from '../../data/datasets/index.js';
import { writePacked } from '../../data/formats/packed.js';
import { z } from '../../options.js';
import { Progress } from '../../report/terminal.js';
import { defineCommand } from '../command.js';

export const packCommand = defineCommand({
  name: 'pack',
  summary: 'write a data set as one file that runs map into memory',
  arguments: [{ syntax: '<data>', description: 'data set as kind:path, such as folder:DIR?size=64' }],
  options: z.strictObject({
    out: z.string().describe('file to write'),
    json: z.boolean().default(false).describe('print what was written as JSON'),
  }),
  examples: [
    "srrl pack 'folder:DIR?size=64' --out photos.pack",
    'srrl distill --data packed:photos.pack --teacher teacher.pt',
  ],
  async run({ out, json }, [source = '']) {
    const data = await openDataset(source);
    const images = data.train.labels.length + data.test.labels.length;
    const progress = new Progress(images, 'images', { quiet: json });
    try {
      await writePacked(data, out, (done) => progress.update(done));
    } finally {
      progress.stop();
    }
    const { skipped } = data;
    if (skipped && !json) console.error(`skipped files: ${skipped}`);
    const result = {
      file: out,
      images,
      classes: data.classes.length,
      bytes: statSync(out).size,
      ...(skipped && { skipped }),
    };
    console.log(json ? JSON.stringify(result) : `${images} images in ${out}, ${result.bytes} bytes`);
  },
});
