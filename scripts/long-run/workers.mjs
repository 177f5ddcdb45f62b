// Threads that load the package, compute, and end, some of them in the middle of their work: no memory grows with them.
import { Worker } from 'node:worker_threads';
import torch from '../../dist/torch.js';
import { slopes } from './child-slopes.mjs';

const source = `
  import { parentPort, workerData } from 'node:worker_threads';
  const { default: torch } = await import(workerData.url);
  const x = torch.randn([32, 32], { requiresGrad: true });
  torch.scope(() => x.matmul(x).sum().backward());
  parentPort.postMessage(torch.sendTensor(x.grad.detach()));
  while (workerData.endless) torch.scope(() => x.matmul(x));
`;
const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);

async function one(endless) {
  const workerData = { url: new URL('../../dist/torch.js', import.meta.url).href, endless };
  const worker = new Worker(url, { workerData });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const sent = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const sum = torch.scope(() => Number(torch.receiveTensor(sent).isfinite().all().item()));
  if (sum !== 1) throw new Error('a thread sent a wrong tensor');
  if (endless) await worker.terminate();
  await ended;
}

export default {
  count: 1000,
  promise: (count) => `${count} worker threads, a third of them ended in the middle of their work; no memory grows`,
  async run({ count }) {
    torch.setNumThreads(1);
    const samples = [];
    for (let made = 0; made < count; made += 2) {
      await Promise.all([one(made % 3 === 0), one(made % 3 === 1)]);
      if (made % 10 !== 0) continue;
      global.gc();
      const { rss, heapUsed, external } = process.memoryUsage();
      samples.push({ at: made + 2, rss, heapUsed, external, tensors: torch.memory().tensors });
    }
    return slopes(samples, 'worker');
  },
};
