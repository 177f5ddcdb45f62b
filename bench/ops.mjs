// Time of one operator call against the same in Python, alternating within one run.
//   node bench/ops.mjs [rounds]        SRRL_PYTHON names a python with torch (default python3)
import { cpus } from 'node:os';
import torch, { nn } from '../dist/torch.js';
import { median, startPeer } from './peer.mjs';

const rounds = Number(process.argv[2] ?? 15);
const calls = 5_000;
torch.setNumThreads(1);
const [a, b] = [torch.randn([8, 8]), torch.randn([8, 8])];
const [image, kernel] = [torch.randn([1, 3, 8, 8]), torch.randn([4, 3, 3, 3])];
const stack = torch.randn([4, 8, 8]);
const mlp = new nn.Sequential(
  new nn.Linear(16, 32),
  new nn.ReLU(),
  new nn.Linear(32, 32),
  new nn.ReLU(),
  new nn.Linear(32, 4),
);
const x = torch.randn([1, 16]);

/** One call of each case; the same work is in peers/ops.py. */
const cases = {
  'add 8x8': () => a.add(b),
  'conv2d 1x3x8x8': () => torch.conv2d(image, kernel),
  'sum over dims': () => stack.sum([0, 2]),
  'MLP forward and backward': () => {
    mlp.zeroGrad();
    mlp.forward(x).sum().backward();
  },
};

/** Nanoseconds a call, with a scope every `size` calls, as a training step would have; without any scope for 0. */
function time(call, size) {
  const began = process.hrtime.bigint();
  const several = (count) => {
    for (let i = 0; i < count; i++) call();
  };
  if (size === 0) several(calls);
  for (let done = 0; size > 0 && done < calls; done += size) torch.scope(() => several(size));
  return Number(process.hrtime.bigint() - began) / calls;
}
const ours = Object.fromEntries(Object.entries(cases).map(([name, call]) => [name, () => time(call, 500)]));
ours['add 8x8, no scope'] = () => time(cases['add 8x8'], 0);

const peer = await startPeer('ops.py', [String(calls)]);
const theirs = (name) => peer.ask(name.replace(', no scope', ''));

console.log(
  `${peer.about}; Node ${process.version}, libtorch ${torch.version}; ${cpus()[0].model}, 1 thread, ${rounds} rounds of ${calls} calls`,
);
const rows = [];
for (const [name, run] of Object.entries(ours)) {
  run();
  await theirs(name);
  const samples = [];
  for (let round = 0; round < rounds; round++) {
    const mine = run();
    await new Promise(setImmediate);
    const other = await theirs(name);
    samples.push({ mine, other, ratio: mine / other });
  }
  const ratios = samples.map(({ ratio }) => ratio).sort((x, y) => x - y);
  const middle = (key) => median(samples.map((sample) => sample[key]));
  rows.push({
    name,
    'ns here': Math.round(middle('mine')),
    'ns Python': Math.round(middle('other')),
    ratio: median(ratios).toFixed(2),
    'quartiles of the ratio': `${ratios[Math.floor(rounds / 4)].toFixed(2)} .. ${ratios[Math.floor((3 * rounds) / 4)].toFixed(2)}`,
  });
}
peer.end();
console.table(rows);
