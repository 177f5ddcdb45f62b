import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import torch, { fromArray, type Tensor } from '../../src/torch.js';

const gc = (globalThis as { gc?: () => void }).gc as () => void;

describe('the memory of viewTypedArray()', () => {
  const large = 1 << 22;

  it.each<[string, (tensor: Tensor) => unknown]>([
    ['resize_', (tensor) => tensor.resize_([large * 8])],
    ['resizeAs_', (tensor) => tensor.resizeAs_(torch.empty([large * 8]))],
    ['a result that needs more room', (tensor) => torch.add(torch.ones([large * 8]), 1, { out: tensor } as never)],
    ['set_ to more than it has', (tensor) => tensor.set_(tensor, 0, [large * 8], [1])],
  ])('cannot be moved away by %s, as that of numpy() in PyTorch', (_name, change) => {
    const tensor = torch.zeros([large]);
    const view = tensor.viewTypedArray();
    expect(() => change(tensor)).toThrow(/resiz/);
    tensor.fill_(3);
    expect(view[large - 1]).toBe(3);
  });

  it('outlives a tensor that is given other memory', () => {
    for (const change of [(tensor: Tensor) => tensor.set_(torch.ones([2])), (tensor: Tensor) => tensor.dispose()]) {
      const tensor = torch.full([large], 7);
      const view = tensor.viewTypedArray();
      change(tensor);
      gc();
      torch.zeros([large]).dispose();
      expect(view[100]).toBe(7n);
    }
  });

  it('is there for a tensor without elements, and refused where reading it would give other values', () => {
    expect(torch.zeros([0, 3]).viewTypedArray()).toEqual(new Float32Array(0));
    const complex = torch.ones([2]).to('complex64');
    expect(() => complex.conj().viewTypedArray()).toThrow(/memory of its own/);
    expect(() => torch.imag(complex.conj()).viewTypedArray()).toThrow(/memory of its own/);
  });

  it('stays with its thread where it is shared memory', () => {
    const shared = fromArray(new Float32Array(new SharedArrayBuffer(8)), [2], { share: true });
    expect(() => torch.sendTensor(shared)).toThrow(/SharedArrayBuffer/);
    expect(() => torch.sendTensor(shared.view([1, 2]))).toThrow(/SharedArrayBuffer/);
    const copy = torch.receiveTensor(torch.sendTensor(shared.clone()));
    expect(copy.tolist()).toEqual([0, 0]);
  });
});

describe('functions of a worker that has ended', () => {
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { default: torch, AutogradFunction } = await import(workerData.url);
    const leaf = torch.receiveTensor(workerData.sent);
    let answer = 'done';
    if (workerData.role === 'hook') leaf.registerHook((gradient) => gradient.mul(2));
    if (workerData.role === 'profile') new torch.Profiler().start();
    if (workerData.role === 'count') torch.countFlops(() => process.exit());
    if (workerData.role === 'backward') {
      try { leaf.mul(3).sum().backward(); } catch (error) { answer = error.code; }
    }
    parentPort.postMessage(answer);
  `;
  const url = new URL('../../dist/torch.js', import.meta.url).href;
  const leaf = torch.ones([3], { requiresGrad: true });

  /** What a worker of this role answers, once it has ended. */
  const worker = (role: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = 'nothing';
      const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
        workerData: { url, role, sent: torch.sendTensor(leaf) },
      });
      thread.on('message', (message: string) => {
        answer = message;
      });
      thread.on('error', reject);
      thread.on('exit', () => resolve(answer));
    });

  it('are gone: a hook is not called any more, by whatever thread', async () => {
    expect(await worker('hook')).toBe('done');
    // Threads get the ids of those that have ended.
    for (let i = 0; i < 4; i++) expect(await worker('backward')).toBe('done');
    leaf.grad = null;
    leaf.sum().backward();
    const { grad } = leaf as { grad: Tensor | null };
    expect(grad?.tolist()).toEqual([1, 1, 1]);
  });

  it('do not keep the profiler', async () => {
    expect(await worker('profile')).toBe('done');
    expect(torch.profile(() => torch.ones([2]).add(1)).events.length).toBeGreaterThan(0);
  });

  it('do not keep the count of operations', async () => {
    await worker('count');
    const count = torch.countFlops(() => void torch.ones([2, 3]).matmul(torch.ones([3, 4])));
    expect(count.total).toBe(48);
  });

  it('are refused while another thread lives that they belong to', async () => {
    const handle = leaf.registerHook((gradient) => gradient);
    expect(await worker('backward')).toBe('ERR_TORCH');
    handle.remove();
    expect(await worker('backward')).toBe('done');
  });
});

it('counts no operations of calls that are refused', () => {
  const image = torch.ones([1, 1, 3, 3]);
  const calls = [
    () => torch.conv2d(image, torch.ones([1, 1, 2, 2]), null, 0),
    () => torch.convolution(torch.ones([]), torch.ones([]), null, [], [], [], false, [], 1),
    () => torch.mm(torch.ones([]), torch.ones([])),
  ];
  for (const call of calls) expect(() => torch.countFlops(call)).toThrow();
});

it('ends a range of a profile with the profile', () => {
  const [first, second] = [new torch.Profiler().start(), new torch.Profiler()];
  torch.recordFunction('outer', () => {
    first.stop();
    second.start();
    torch.ones([2]).add(1);
  });
  const names = second.stop().events.map(({ name }) => name);
  expect(names).toContain('aten::add');
  expect(names).not.toContain('outer');
});
