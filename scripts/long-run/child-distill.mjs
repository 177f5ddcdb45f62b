// One distillation, as a process of its own: node child-distill.mjs OUT '{"epochs":3}'. Its last line is JSON.
import { distill, models, openDataset } from '../../dist/index.js';
import torch from '../../dist/torch.js';

const [out, options] = [process.argv[2], JSON.parse(process.argv[3] ?? '{}')];
const data = await openDataset('shapes:60?test=24');
torch.manualSeed(3);
const student = models.create('resnet8', { numClasses: data.classes.length, inChannels: data.channels });
const teacher = new URL('../../assets/shapes-teacher.pt', import.meta.url).pathname;
const said = { epochs: [] };
for await (const event of distill({ data, teacher, student, batchSize: 12, epochs: 3, seed: 5, out, ...options })) {
  if (event.type === 'start') Object.assign(said, { resumedAt: event.resumedAt, estimate: event.estimate.seconds });
  if (event.type === 'epoch') said.epochs.push({ seconds: event.seconds, imagesPerSecond: event.imagesPerSecond });
  if (event.type === 'end') Object.assign(said, { seconds: event.seconds, stopped: event.stopped });
}
console.log(JSON.stringify(said));
