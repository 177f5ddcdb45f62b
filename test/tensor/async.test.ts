import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import torch, { Generator, type Tensor } from '../../src/torch.js';

const live = () => torch.memory().tensors;

describe('asynchronous scopes', () => {
  it('free what was made before and after an await, and keep what is returned', async () => {
    const before = live();
    const kept = await torch.asyncScope(async () => {
      torch.ones([2]);
      await sleep(2);
      const x = torch.ones([3]);
      torch.scope(() => x.add(1));
      return [x.mul(2)];
    });
    expect(live() - before).toBe(1);
    expect(kept[0]?.tolist()).toEqual([2, 2, 2]);
    kept[0]?.dispose();
  });

  it('nest, run side by side, and do not touch what others make meanwhile', async () => {
    const before = live();
    const run = (value: number) =>
      torch.asyncScope(async () => {
        const x = torch.full([2], torch.float(value));
        await sleep(value);
        const inner = await torch.asyncScope(async () => x.add(1));
        await sleep(1);
        return inner.sum().item();
      });
    const both = Promise.all([run(3), run(6)]);
    await sleep(1);
    const outside = torch.ones([4]);
    expect(await both).toEqual([8, 14]);
    expect(outside.tolist()).toEqual([1, 1, 1, 1]);
    expect(live() - before).toBe(1);
    outside.dispose();
  });

  it('free everything when the body fails', async () => {
    const before = live();
    const failing = torch.asyncScope(async () => {
      torch.ones([2]);
      await sleep(1);
      torch.ones([2]);
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow('on purpose');
    expect(live()).toBe(before);
  });
});

describe('the leak report', () => {
  it('says where live tensors were made', () => {
    torch.memory.track();
    const leaked = [1, 2, 3].map((size) => torch.zeros([size]));
    torch.scope(() => torch.ones([5]));
    const [leak] = torch.memory.report();
    torch.memory.track(false);
    expect(leak?.count).toBe(3);
    expect(leak?.origin).toMatch(/async\.test\.ts:\d+/);
    expect(torch.memory.report()).toEqual([]);
    for (const tensor of leaked) tensor.dispose();
  });
});

describe('promise forms', () => {
  it('run any operator off the event loop under the modes of the caller', async () => {
    const x = torch.randn([64, 64], { requiresGrad: true });
    const y = (await torch.dispatchAsync('aten::matmul', x, x)) as Tensor;
    expect(y.equal(x.matmul(x))).toBe(true);
    expect(y.requiresGrad).toBe(true);
    const silent = (await torch.noGrad(() => ({ promise: torch.dispatchAsync('aten::matmul', x, x) }))
      .promise) as Tensor;
    expect(silent.requiresGrad).toBe(false);
    await expect(torch.dispatchAsync('aten::matmul', x, torch.ones([3, 3]))).rejects.toThrow(/cannot be multiplied/);
  });

  it('compute gradients off the event loop', async () => {
    const x = torch.tensor([1, 2], { dtype: 'float64', requiresGrad: true });
    await x.square().sum().backwardAsync();
    expect(x.grad?.tolist()).toEqual([2, 4]);
    await expect(x.square().backwardAsync()).rejects.toThrow(/scalar/);
  });
});

describe('worker threads', () => {
  it('are given tensors without a copy', async () => {
    const source = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { default: torch } = await import(workerData.url);
      const x = torch.receiveTensor(workerData.sent);
      x.add_(1);
      parentPort.postMessage({ back: torch.sendTensor(x.mul(2)) });
    `;
    const x = torch.ones([3]);
    const url = new URL('../../dist/torch.js', import.meta.url).href;
    const sent = torch.sendTensor(x);
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: { url, sent },
    });
    const { back } = await new Promise<{ back: typeof sent }>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    expect(x.tolist()).toEqual([2, 2, 2]);
    expect(torch.receiveTensor(back).tolist()).toEqual([4, 4, 4]);
    expect(() => torch.receiveTensor(back)).toThrow(/received already/);
    expect(() => torch.sendTensor(torch.ones([1], { requiresGrad: true }).mul(2))).toThrow(/detach/);
    await worker.terminate();
  });
});

describe('generators', () => {
  it('repeat from a seed and from a saved state, each on its own', () => {
    const [a, b] = [new Generator(7), new Generator(7)];
    const draw = (generator: Generator) => torch.rand([3], { generator }).tolist();
    expect(draw(a)).toEqual(draw(b));
    const state = a.getState();
    const next = draw(a);
    torch.manualSeed(1);
    torch.rand([5]);
    a.setState(state);
    expect(draw(a)).toEqual(next);
    expect(a.initialSeed()).toBe(7n);
    const before = torch.getRngState();
    const first = torch.rand([2]).tolist();
    torch.setRngState(before);
    expect(torch.rand([2]).tolist()).toEqual(first);
    expect(() => new Generator(-1)).toThrow(/seed/);
  });
});

describe('torch.ops', () => {
  it('reaches any overload by its path', () => {
    const x = torch.tensor([1, 2]);
    const sum = torch.ops.aten?.add?.Tensor?.(x, x) as Tensor;
    expect(sum.tolist()).toEqual([2, 4]);
    const relu = torch.ops.aten?.relu?.default?.(x) as Tensor;
    expect(relu.tolist()).toEqual([1, 2]);
    expect(() => torch.ops.aten?.add?.Nothing?.(x)).toThrow(/no operator/);
  });
});
