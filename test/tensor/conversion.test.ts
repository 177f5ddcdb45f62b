/** What JavaScript's operators and structured cloning make of tensors. */
import { serialize } from 'node:v8';
import { MessageChannel, Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import torch, { ArgumentError, DisposedError, Generator, nn, optim, TensorList } from '../../src/torch.js';

// TypeScript refuses arithmetic on tensors; plain JavaScript does not.
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Plain = any;

describe("JavaScript's operators", () => {
  const one = (value: number | bigint | boolean): Plain => torch.tensor(value as number);

  it('see the number of a tensor of one element', () => {
    const [a, b] = [one(10.5), one(9.5)];
    expect([a < b, a > b, a <= b, a - b, a * 2, +a, -a, a / 2, a % 2, a ** 2]).toEqual([
      false,
      true,
      false,
      1,
      21,
      10.5,
      -10.5,
      5.25,
      0.5,
      110.25,
    ]);
    expect([
      Number(a),
      Math.max(a, b),
      Number.parseFloat(String(a.item())),
      // biome-ignore lint/suspicious/noDoubleEquals: the conversion is what is tested.
      a == 10.5,
      Number.isNaN(Number(one(Number.NaN))),
    ]).toEqual([10.5, 10.5, 10.5, true, true]);
    expect(a + 1).toBe(11.5);
    expect([torch.tensor([[3.5]]) as Plain].map((x) => x * 2)).toEqual([7]);
  });

  it('see booleans, bigints and half precision', () => {
    // biome-ignore lint/suspicious/noDoubleEquals: the conversion is what is tested.
    expect([one(true) == true, one(true) + 1, Number(one(false))]).toEqual([true, 2, 0]);
    expect(one(2n ** 62n) + 1n).toBe(2n ** 62n + 1n);
    expect(Number((torch.tensor([1.5]) as Plain).half())).toBe(1.5);
    expect(one(3).valueOf()).toBe(3);
  });

  it('print in texts', () => {
    expect(`${torch.tensor([1.5, 2.5])}`).toBe('tensor([1.5000, 2.5000])');
    expect(String(one(10.5))).toBe('tensor(10.5000)');
    expect(['', ''].join(torch.tensor([1.5]) as Plain)).toBe('tensor([1.5000])');
  });

  it('throw for several elements, none, and complex ones, and name methods', () => {
    const [x, none, complex] = [
      torch.tensor([1.5, 2]),
      torch.zeros([0]),
      torch.complex(torch.tensor(1.5), torch.tensor(2.5)),
    ] as Plain[];
    for (const use of [
      () => x < 1,
      () => x * 2,
      () => +x,
      () => x + x,
      // biome-ignore lint/suspicious/noDoubleEquals: the conversion is what is tested.
      () => x == 1,
      () => Math.max(x),
      () => none + 1,
    ])
      expect(use).toThrow(ArgumentError);
    expect(() => x < 1).toThrow(/shape \[2\].*mul\(\).*lt\(\).*equal\(\)/);
    expect(() => complex + 1).toThrow(/complex.*abs\(\)/);
    expect(x.valueOf()).toBe(x);
  });

  it('throw for a disposed tensor', () => {
    const x: Plain = torch.tensor(1.5);
    x.dispose();
    expect(() => x + 1).toThrow(DisposedError);
    expect(`${x}`).toBe('tensor(disposed)');
  });
});

describe('structured cloning', () => {
  const weight = torch.zeros([2], { requiresGrad: true });
  const things: Record<string, unknown> = {
    'a tensor': weight,
    'a tensor inside of something': { batch: [new Map([['x', torch.zeros([1])]])] },
    'a parameter': new nn.Parameter(torch.zeros([1])),
    'a module': new nn.Linear(2, 2),
    'a module without parameters': new nn.ReLU(),
    'an optimizer': new optim.SGD([weight]),
    'a scaler': new optim.GradScaler(),
    'an average': new optim.EMA(new nn.Linear(1, 1)),
    'a generator': new Generator(1),
    'a list': new TensorList([weight]),
  };
  const ways: Record<string, (value: unknown) => void> = {
    structuredClone: (value) => structuredClone(value),
    'port.postMessage': (value) => {
      const { port1, port2 } = new MessageChannel();
      try {
        port1.postMessage(value);
      } finally {
        port1.close();
        port2.close();
      }
    },
    'v8.serialize': (value) => serialize(value),
    workerData: (value) => new Worker('', { eval: true, workerData: value }),
  };

  it.each(Object.keys(things))('refuses %s and names torch.sendTensor', (name) => {
    for (const [way, clone] of Object.entries(ways)) {
      let error: Error | undefined;
      try {
        clone(things[name]);
      } catch (thrown) {
        error = thrown as Error;
      }
      expect([way, error?.message]).toEqual([way, expect.stringContaining('torch.sendTensor(tensor)')]);
      if (way !== 'v8.serialize') expect(error?.name).toBe('DataCloneError');
    }
  });

  it('carries what sendTensor makes', () => {
    const sent = structuredClone({ x: torch.sendTensor(torch.tensor([1.5, 2])) });
    expect(torch.receiveTensor(sent.x).tolist()).toEqual([1.5, 2]);
  });
});
