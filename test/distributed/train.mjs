// Trains a small network for 50 steps, alone or as one rank of several, and writes its weights: the same network,
// weights and batches as train.py, all of them by formulas.
//   node train.mjs OUT [sync|local] [accumulate]
import { DistributedDataParallel, distributed } from '../../dist/index.js';
import torch, { nn, optim, saveSafetensors } from '../../dist/torch.js';

const [out, statistics = 'sync', accumulate] = process.argv.slice(2);
const [steps, batch, size, classes] = [50, 16, 8, 5];

const wave = (shape, from, scale) => {
  const count = shape.reduce((all, one) => all * one, 1);
  const values = Float32Array.from(
    { length: count },
    (_, i) => scale * Math.sin(from + 1.7 * i + 0.01 * (i % 97) ** 2),
  );
  return torch.fromArray(values, shape);
};

// Smooth: behind a kink, rounding would grow from step to step.
class Network extends nn.Module {
  conv1 = new nn.Conv2d(3, 16, 3, { padding: 1, bias: false });
  bn1 = new nn.BatchNorm2d(16);
  conv2 = new nn.Conv2d(16, 16, 3, { padding: 1, stride: 2, bias: false });
  bn2 = new nn.BatchNorm2d(16);
  fc = new nn.Linear(16, classes);
  forward(x) {
    const first = nn.functional.silu(this.bn1.forward(this.conv1.forward(x)));
    const second = nn.functional.silu(this.bn2.forward(this.conv2.forward(first)));
    return this.fc.forward(second.mean([2, 3]));
  }
}

const several = Number(process.env.WORLD_SIZE ?? 1) > 1;
if (several) await distributed.init();
const [rank, ranks] = [distributed.getRank(), distributed.getWorldSize()];
let network = new Network();
if (statistics === 'sync') network = nn.SyncBatchNorm.convertSyncBatchnorm(network);
torch.noGrad(() => {
  // Other ranks begin with other weights: those of rank 0 must reach them.
  for (const [i, parameter] of [...network.parameters()].entries())
    if (parameter.ndim > 1) parameter.copy_(wave(parameter.shape, i + rank, 0.2));
  network.fc.bias.zero_();
});
const model = several ? new DistributedDataParallel(network) : network;
const optimizer = new optim.SGD([...network.parameters()], { lr: 0.05, momentum: 0.9 });
const backward = (loss) => (several ? model.backward(loss) : loss.backward());
network.train();
for (let step = 0; step < steps; step++) {
  torch.scope(() => {
    const images = wave([batch, 3, size, size], step, 1);
    const labels = torch.tensor(
      Array.from({ length: batch }, (_, i) => (7 * i + step) % classes),
      { dtype: 'int64' },
    );
    const own = batch / ranks;
    const lossOf = (samples) => {
      const rows = torch.tensor(samples, { dtype: 'int64' });
      return nn.functional.crossEntropy(model.forward(images.indexSelect(0, rows)), labels.indexSelect(0, rows));
    };
    const samples = (from, count) => Array.from({ length: count }, (_, i) => from + i);
    optimizer.zeroGrad();
    if (accumulate) {
      // Two parts; alone those that two ranks have together.
      const half = several ? own / 2 : batch / 4;
      const part = (from) =>
        several ? samples(rank * own + from, half) : [...samples(from, half), ...samples(8 + from, half)];
      const first = () => lossOf(part(0)).mul(0.5).backward();
      if (several) model.noSync(first);
      else first();
      backward(lossOf(part(half)).mul(0.5));
    } else backward(lossOf(samples(rank * own, own)));
    optimizer.step();
  });
}
if (rank === 0) saveSafetensors(out, network.stateDict());
await distributed.destroy();
