import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import torch, { DisposedError, nn, type Tensor } from '../../src/torch.js';

const live = () => torch.memory().tensors;
const collect = () => {
  if (!globalThis.gc) throw new Error('needs --expose-gc');
  globalThis.gc();
};

describe('scopes', () => {
  let before = 0;
  afterEach(() => {
    before = 0;
  });

  it('free what was made inside, and keep what is returned', () => {
    before = live();
    const kept = torch.scope(() => {
      const x = torch.randn([4, 4]);
      for (let i = 0; i < 100; i++) x.add(i);
      return { deep: [x.mul(2)] };
    });
    expect(live() - before).toBe(1);
    expect(kept.deep[0]?.shape).toEqual([4, 4]);
    kept.deep[0]?.dispose();
    expect(live()).toBe(before);
  });

  it('nest: what escapes belongs to the enclosing one', () => {
    before = live();
    torch.scope(() => {
      const inner = torch.scope(() => torch.scope(() => torch.ones([2])));
      expect(inner.tolist()).toEqual([1, 1]);
      expect(live() - before).toBe(1);
    });
    expect(live()).toBe(before);
  });

  it('free everything when the body throws', () => {
    before = live();
    expect(() =>
      torch.scope(() => {
        torch.ones([2]);
        throw new Error('on purpose');
      }),
    ).toThrow('on purpose');
    expect(live()).toBe(before);
  });

  it('do not free what keep() took out, nor parameters', () => {
    before = live();
    let kept: Tensor | undefined;
    const layer = torch.scope(() => {
      kept = torch.keep(torch.ones([2]));
      return new nn.Linear(2, 2);
    });
    expect(kept?.tolist()).toEqual([1, 1]);
    expect(layer.forward(torch.ones([1, 2])).shape).toEqual([1, 2]);
    layer.dispose();
    kept?.dispose();
  });

  it('refuse an asynchronous body', () => {
    expect(() => torch.scope(async () => torch.ones([1]))).toThrow(/synchronous/);
  });
});

describe('dispose', () => {
  it('frees at once, and later use is an error that says so', () => {
    const x = torch.ones([2]);
    x.dispose();
    x.dispose();
    expect(x.isAlive).toBe(false);
    expect(() => x.add(1)).toThrow(DisposedError);
    expect(() => torch.ones([2]).add(x)).toThrow(DisposedError);
    expect(() => x.shape).toThrow(DisposedError);
    expect(String(x)).toBe('tensor(disposed)');
  });

  it('never hands a reused slot to an old tensor', () => {
    const old = torch.ones([2]);
    old.dispose();
    const fresh = Array.from({ length: 100 }, () => torch.zeros([3]));
    expect(() => old.tolist()).toThrow(DisposedError);
    for (const tensor of fresh) tensor.dispose();
  });

  it('happens at the end of a block by `using`', () => {
    let outside: Tensor;
    {
      using x = torch.ones([1]);
      outside = x;
    }
    expect(outside.isAlive).toBe(false);
  });
});

it('a long loop within one scope frees, keeps and returns what it should', () => {
  const before = live();
  const kept: Tensor[] = [];
  const returned = torch.scope(() => {
    const results: Tensor[] = [];
    for (let i = 0; i < 10_000; i++) {
      const tensor = torch.tensor(i);
      if (i % 1000 === 1) kept.push(torch.keep(tensor));
      else if (i % 1000 === 2) results.push(tensor);
      else if (i % 3 > 0) tensor.dispose();
    }
    return results;
  });
  expect(live() - before).toBe(20);
  expect([kept, returned].map((list) => list.map((tensor) => tensor.item()))).toEqual(
    [1, 2].map((first) => Array.from({ length: 10 }, (_, i) => first + 1000 * i)),
  );
  for (const tensor of [...kept, ...returned]) tensor.dispose();
  expect(live()).toBe(before);
});

describe('the safety net', () => {
  it('frees forgotten tensors when the event loop turns, small and large, but nothing that is held', async () => {
    const held = torch.ones([3]);
    const before = live();
    for (let i = 0; i < 500; i++) held.add(i);
    for (let i = 0; i < 20; i++) torch.zeros([1000]);
    expect(live() - before).toBe(520);
    for (let i = 0; i < 10 && live() - before > 32; i++) {
      await turn();
      collect();
      await turn();
    }
    // A cohort is freed when all of its 32 members are forgotten.
    expect(live() - before).toBeLessThanOrEqual(32);
    expect(held.tolist()).toEqual([1, 1, 1]);
  });

  it('does not free parameters while their module is in use', async () => {
    const layer = new nn.Linear(3, 3);
    await turn();
    collect();
    await turn();
    collect();
    await turn();
    expect(layer.forward(torch.ones([1, 3])).shape).toEqual([1, 3]);
  });
});
