// Steps of a small convolutional network as one rank of several, or alone; rank 0 prints images a second, and how much
// of the time in which gradients were on their way was hidden behind the backward pass. The same work:
// bench/peers/ranks.py. RANK=0 WORLD_SIZE=1 node bench/ranks.mjs [STEPS]
import { DistributedDataParallel, distributed } from '../dist/index.js';
import torch, { nn, optim } from '../dist/torch.js';

const steps = Number(process.argv[2] ?? 20);
const [batch, channels, size] = [32, 128, 32];
await distributed.init();
const [rank, ranks] = [distributed.getRank(), distributed.getWorldSize()];
torch.manualSeed(0);
const block = (from, to, stride) => [
  new nn.Conv2d(from, to, 3, { padding: 1, stride, bias: false }),
  new nn.BatchNorm2d(to),
  new nn.ReLU(),
];
const layers = [
  ...block(3, channels, 2),
  ...block(channels, channels, 1),
  ...block(channels, channels, 2),
  ...block(channels, 2 * channels, 2),
  ...block(2 * channels, 2 * channels, 1),
];
const network = new nn.Sequential(
  ...layers,
  new nn.AdaptiveAvgPool2d(1),
  new nn.Flatten(),
  new nn.Linear(2 * channels, 10),
);
network.to({ memoryFormat: 'channelsLast' });
const model = new DistributedDataParallel(network);
const optimizer = new optim.SGD([...network.parameters()], { lr: 0.01, momentum: 0.9 });
const own = batch / ranks;
const images = torch.randn([own, 3, size, size]).contiguous({ memoryFormat: 'channelsLast' });
const labels = torch.randint(0, 10, [own]);
const step = () =>
  torch.scope(() => {
    optimizer.zeroGrad();
    model.backward(nn.functional.crossEntropy(model.forward(images), labels));
    optimizer.step();
  });
for (let i = 0; i < 3; i++) step();
model.takeTimes();
await distributed.barrier();
const began = performance.now();
for (let i = 0; i < steps; i++) step();
await distributed.barrier();
const seconds = (performance.now() - began) / 1000;
const { buckets, communicated, waited } = model.takeTimes();
if (rank === 0)
  console.log(
    JSON.stringify({
      ...{ ranks, threads: Number(process.env.OMP_NUM_THREADS), imagesPerSecond: (steps * batch) / seconds },
      ...{ secondsPerStep: seconds / steps, buckets, communicated: communicated / steps, waited: waited / steps },
      ...{ hidden: ranks > 1 ? Math.max(0, 1 - waited / communicated) : undefined },
      parameters: network.numParameters(),
    }),
  );
await distributed.destroy();
