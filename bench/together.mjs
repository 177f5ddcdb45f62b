// Four students from one pass through the teacher, against four runs one after the other, alternating.   node bench/together.mjs
import { distill, distillTogether, models, openDataset, Teacher } from '../dist/index.js';
import torch from '../dist/torch.js';

torch.manualSeed(0);
const network = models.create('wrn_40_2', { numClasses: 12 }).train();
for (let i = 0; i < 8; i++) torch.noGrad(() => torch.scope(() => void network.forward(torch.randn([64, 3, 32, 32]))));
const teacher = Teacher.of(network, 'wrn_40_2');
const data = await openDataset('shapes');
data.test = { images: data.test.images.subarray(0, 24 * 3072), labels: data.test.labels.subarray(0, 24) };
const common = { teacher, data, student: 'wrn_16_2', trainImages: 192, batchSize: 64, epochs: 4, evaluateEvery: 4 };
const setups = [0, 1, 2, 3].map((seed) => ({ ...common, seed, dataSeed: 0, lr: 0.001 }));

/** Milliseconds a student's step, from the end of the first steps to the end of the last. */
async function timed(run, students) {
  let [first, last, steps] = [0, 0, 0];
  for await (const event of run) {
    if (event.type !== 'step') continue;
    steps++;
    last = performance.now();
    if (event.step === 1) first = last;
  }
  return (last - first) / (steps - students);
}

for (let round = 0; round < 5; round++) {
  let alone = 0;
  for (const setup of setups) alone += (await timed(distill(setup), 1)) / setups.length;
  const together = await timed(distillTogether({ ...setups }), setups.length);
  const text = `${alone.toFixed(0)} ms alone, ${together.toFixed(0)} ms together: ${(alone / together).toFixed(2)} times`;
  console.log(round === 0 ? `not counted: ${text}` : text);
}
