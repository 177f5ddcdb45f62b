// Processes against threads, ours against PyTorch's DistributedDataParallel: all forms in turns in one run; median and
// spread of images a second. Needs an idle machine.
//   SRRL_PYTHON=python node bench/ranks-compare.mjs [ROUNDS] [STEPS]
import { spawn } from 'node:child_process';

const rounds = Number(process.argv[2] ?? 5);
const steps = process.argv[3] ?? '12';
const python = process.env.SRRL_PYTHON;
const ours = [process.execPath, 'bench/ranks.mjs'];
const peer = python && [python, 'bench/peers/ranks.py'];
const forms = [
  ...[
    [1, 1],
    [1, 2],
    [2, 1],
    [4, 1],
  ].map(([ranks, threads]) => ({ name: 'srrl', command: ours, ranks, threads })),
  ...(peer
    ? [
        [1, 2],
        [2, 1],
      ]
    : []
  ).map(([ranks, threads]) => ({ name: 'PyTorch', command: peer, ranks, threads })),
];

/** Runs all ranks of one form on this machine and gives what rank 0 printed. */
async function measure({ command, ranks, threads }, port) {
  const running = Array.from({ length: ranks }, (_, rank) => {
    const variables = {
      ...{ RANK: rank, LOCAL_RANK: rank, WORLD_SIZE: ranks, LOCAL_WORLD_SIZE: ranks },
      ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: port, OMP_NUM_THREADS: threads },
    };
    const child = spawn(command[0], [...command.slice(1), steps], {
      env: { ...process.env, ...variables },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    return new Promise((resolve, reject) =>
      child.on('close', (code) =>
        code === 0 ? resolve(output) : reject(new Error(`rank ${rank} ended with ${code}`)),
      ),
    );
  });
  const [first] = await Promise.all(running);
  return JSON.parse(first);
}

const results = forms.map(() => []);
for (let round = 0; round < rounds; round++)
  for (const [index, form] of forms.entries())
    results[index].push(await measure(form, 20000 + ((process.pid + round * forms.length + index) % 20000)));

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
for (const [index, { name, ranks, threads }] of forms.entries()) {
  const speeds = results[index].map((result) => result.imagesPerSecond);
  const [low, high] = [Math.min(...speeds), Math.max(...speeds)].map((value) => value.toFixed(1));
  const hidden = results[index].map((result) => result.hidden).filter((value) => value !== undefined);
  console.log(
    `${name}, ${ranks} x ${threads} threads: ${median(speeds).toFixed(1)} images/s (${low} to ${high})` +
      (hidden.length
        ? `; on their way ${(1000 * median(results[index].map((r) => r.communicated))).toFixed(1)} ms, ` +
          `waited ${(1000 * median(results[index].map((r) => r.waited))).toFixed(1)} ms, ` +
          `hidden ${(100 * median(hidden)).toFixed(0)} %`
        : ''),
  );
}
