// Many distillation steps, with an evaluation and a checkpoint in each epoch: memory stays flat.
import { join } from 'node:path';
import { distill, models, openDataset, Teacher } from '../../dist/index.js';
import torch, { nn } from '../../dist/torch.js';
import { slopes } from './child-slopes.mjs';

const batchSize = 2;
const stepsInEpoch = 500;

/** Small, so that the steps are many and not long. */
class Small extends models.Classifier {
  constructor({ channels, classes }, width) {
    super();
    this.featureChannels = width;
    this.numClasses = classes.length;
    this.conv = new nn.Conv2d(channels, width, 8, { stride: 8 });
    this.classifier = new nn.Linear(width, classes.length);
  }

  forwardFeatures(images) {
    const map = this.conv.forward(images).relu();
    const pooled = map.mean([2, 3]);
    return { pooled, map, stages: [map], logits: this.classifier.forward(pooled) };
  }
}

export default {
  count: 100_000,
  promise: (count) => `${count} distillation steps; no memory grows with them`,
  async run({ count, folder }) {
    torch.setNumThreads(1);
    const data = await openDataset(`shapes:${batchSize * stepsInEpoch}?test=24`);
    const [teacher, student] = [Teacher.of(new Small(data, 16)), new Small(data, 8)];
    const setup = { data, teacher, student, batchSize, out: join(folder, 'run'), stepMetrics: 100 };
    const samples = [];
    for await (const event of distill({ ...setup, epochs: Math.ceil(count / stepsInEpoch), evaluateEvery: 10 })) {
      if (event.type !== 'epoch') continue;
      global.gc();
      const { rss, heapUsed, external } = process.memoryUsage();
      samples.push({ at: event.epoch * stepsInEpoch, rss, heapUsed, external, tensors: torch.memory().tensors });
      if (event.epoch % 20 === 0) console.log(JSON.stringify(samples.at(-1)));
    }
    return slopes(samples, 'step');
  },
};
