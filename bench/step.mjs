// One SRRL training step (teacher, student, connector, losses, backward, update) against PyTorch, alternating within one run.
//   node bench/step.mjs [rounds]        SRRL_PYTHON names a python with torch (default python3)
import { cpus } from 'node:os';
import { createMethod, ModelTeacher, models } from '../dist/index.js';
import torch, { nn, optim } from '../dist/torch.js';
import { median, startPeer } from './peer.mjs';

const rounds = Number(process.argv[2] ?? 5);
const batch = 64;
const steps = 3;
const size = [3, 32, 32];

/** A step of our own trainer, on images that lie in memory. */
function ours() {
  torch.manualSeed(0);
  const student = models.create('wrn_16_2', { numClasses: 100 }).to({ memoryFormat: 'channelsLast' }).train();
  const teacher = ModelTeacher.of(models.create('wrn_40_2', { numClasses: 100 }), 'wrn_40_2');
  const images = torch.keep(torch.randn([batch, ...size]).contiguous({ memoryFormat: 'channelsLast' }));
  const labels = torch.keep(torch.randint(0, 100, [batch]));
  const indices = torch.keep(torch.arange(batch));
  const features = { pooled: 128, map: [128, 8, 8], stages: [], pooledIsMeanOfMap: true };
  const objective = createMethod('srrl').setUp({
    student: { numClasses: 100, features },
    teacher: { ...teacher, numClasses: 100, features, classify: (h) => teacher.classify(h) },
    trainLabels: new Uint8Array(batch),
  });
  for (const module of Object.values(objective.modules)) module.to({ memoryFormat: 'channelsLast' }).train();
  const parameters = [student, ...Object.values(objective.modules)].flatMap((module) => [...module.parameters()]);
  const optimizer = new optim.SGD(parameters, { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 });
  const form = teacher.accelerated(images);
  return () =>
    torch.scope(() => {
      const targets = torch.noGrad(() => form.forward(images));
      const terms = objective.terms({
        student: nn.fastConvolutions(() => student.forwardFeatures(images)),
        teacher: targets,
        labels,
        indices,
        epoch: 1,
      });
      optimizer.zeroGrad();
      Object.values(terms)
        .map(({ value }) => value)
        .reduce((sum, value) => sum.add(value))
        .backward();
      optimizer.step();
    });
}

const step = ours();
const imagesPerSecond = () => {
  const began = process.hrtime.bigint();
  for (let i = 0; i < steps; i++) step();
  return (batch * steps) / (Number(process.hrtime.bigint() - began) / 1e9);
};
const peer = await startPeer('step.py', [String(batch), String(steps)]);
console.log(
  `${peer.about}; Node ${process.version}, libtorch ${torch.version}; ${cpus()[0].model}, ${torch.getNumThreads()} threads`,
);
imagesPerSecond();
const rows = [];
for (const name of ['eager', 'eager channels_last']) {
  await peer.ask(name);
  const samples = [];
  for (let round = 0; round < rounds; round++) {
    const mine = imagesPerSecond();
    const other = await peer.ask(name);
    samples.push({ mine, other, ratio: mine / other });
  }
  const ratios = samples.map(({ ratio }) => ratio).sort((a, b) => a - b);
  rows.push({
    'SRRL step against PyTorch': name,
    'images/s here': Math.round(median(samples.map(({ mine }) => mine))),
    'images/s PyTorch': Math.round(median(samples.map(({ other }) => other))),
    ratio: median(ratios).toFixed(2),
    'lowest .. highest': `${ratios[0].toFixed(2)} .. ${ratios.at(-1).toFixed(2)}`,
  });
}
peer.end();
console.table(rows);
