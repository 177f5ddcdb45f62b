// Time of one operator call against the same in Python, alternating within one run.
//   node bench/ops.mjs [rounds]        SRRL_PYTHON names a python with torch (default python3)
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import torch from '../dist/torch.js';

const rounds = Number(process.argv[2] ?? 25);
const calls = 20_000;
torch.setNumThreads(1);
const [a, b] = [torch.randn([8, 8]), torch.randn([8, 8])];

/** Nanoseconds a call. A scope every 1000 calls, as a training step would have. */
const ours = {
  'add 8x8': () => {
    const began = process.hrtime.bigint();
    for (let i = 0; i < calls / 1000; i++) {
      torch.scope(() => {
        for (let j = 0; j < 1000; j++) a.add(b);
      });
    }
    return Number(process.hrtime.bigint() - began) / calls;
  },
  'add 8x8, no scope': () => {
    const began = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) a.add(b);
    return Number(process.hrtime.bigint() - began) / calls;
  },
};

const peer = spawn(
  process.env.SRRL_PYTHON ?? 'python3',
  [fileURLToPath(new URL('peers/ops.py', import.meta.url)), String(calls)],
  {
    stdio: ['pipe', 'pipe', 'inherit'],
  },
);
peer.on('error', (error) => {
  console.error(`${error.message}: a python with torch is needed; name it in SRRL_PYTHON.`);
  process.exit(1);
});
const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
const next = async () => {
  const { value, done } = await lines.next();
  if (done) throw new Error('the Python peer ended');
  return value;
};
const theirs = async (name) => {
  peer.stdin.write(`${name.replace(', no scope', '')}\n`);
  return Number(await next());
};

const median = (values) => [...values].sort((x, y) => x - y)[Math.floor(values.length / 2)];
const about = await next();
console.log(
  `${about}; Node ${process.version}, libtorch ${torch.version}; ${cpus()[0].model}, 1 thread, ${rounds} rounds of ${calls} calls`,
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
  rows.push({
    name,
    'ns here': Math.round(median(samples.map(({ mine }) => mine))),
    'ns Python': Math.round(median(samples.map(({ other }) => other))),
    ratio: median(ratios).toFixed(2),
    'quartiles of the ratio': `${ratios[Math.floor(rounds / 4)].toFixed(2)} .. ${ratios[Math.floor((3 * rounds) / 4)].toFixed(2)}`,
  });
}
peer.stdin.end();
console.table(rows);
