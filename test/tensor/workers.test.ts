import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import torch from '../../src/torch.js';

const source = `
  import { parentPort, workerData } from 'node:worker_threads';
  const { default: torch } = await import(workerData);
  const x = torch.randn([16, 16], { requiresGrad: true });
  for (let i = 0; i < 50; i++) torch.scope(() => x.matmul(x).sum().backward());
  let refused = '';
  try { x.add(torch.ones([3, 3])); } catch (error) { refused = error.code; }
  parentPort.postMessage({ shape: x.grad.shape, refused, grad: torch.isGradEnabled() });
`;

it('runs in several worker threads at once, each with its own tensors and modes', async () => {
  const torchUrl = new URL('../../dist/torch.js', import.meta.url).href;
  const answer = (worker: Worker) =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const mine = torch.ones([2]);
  const workers = Array.from(
    { length: 4 },
    () => new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData: torchUrl }),
  );
  const answers = await Promise.all(torch.noGrad(() => workers.map(answer)));
  await Promise.all(workers.map((worker) => worker.terminate()));
  expect(answers).toEqual(Array(4).fill({ shape: [16, 16], refused: 'ERR_SHAPE', grad: true }));
  expect(mine.tolist()).toEqual([1, 1]);
});

it('survives a worker that is ended in the middle of its work', async () => {
  const torchUrl = new URL('../../dist/torch.js', import.meta.url).href;
  const endless = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { default: torch } = await import(workerData);
    parentPort.postMessage('begun');
    const x = torch.randn([64, 64]);
    for (;;) torch.scope(() => x.matmul(x));
  `;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(endless)}`), { workerData: torchUrl });
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
  expect(torch.ones([2]).sum().item()).toBe(2);
});
