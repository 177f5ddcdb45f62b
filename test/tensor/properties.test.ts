/** What holds of all tensors, with JavaScript's own arrays as the other side. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import torch, { ShapeError, type Tensor } from '../../src/torch.js';

const runs = { numRuns: 80 };
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const filled = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
const number = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
const size = (sizes: number[]) => sizes.reduce((product, length) => product * length, 1);

/** 0, 1, 2, ... in a shape: each element is told by its value. */
const counted = (sizes: number[]) => torch.arange(size(sizes)).reshape(sizes);
const values = (tensor: Tensor) => Array.from(tensor.contiguous().toTypedArray() as BigInt64Array, Number);
function holds<T extends [unknown, ...unknown[]]>(
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  check: (...of: T) => void,
): void {
  const all = fc.tuple(...(arbitraries as fc.Arbitrary<unknown>[])) as unknown as fc.Arbitrary<T>;
  fc.assert(
    fc.property(all, (of) => torch.scope(() => check(...of))),
    runs,
  );
}

/** Where an index of a result lies in an operand that is broadcast to it. */
function sourceOf(index: number[], sizes: number[]): number {
  const own = index.slice(index.length - sizes.length);
  return sizes.reduce((at, length, dim) => at * length + (length === 1 ? 0 : (own[dim] as number)), 0);
}

function indices(sizes: number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, length) => all.flatMap((index) => Array.from({ length }, (_, i) => [...index, i])),
    [[]],
  );
}

describe('broadcasting', () => {
  it('adds by the rules of the shapes, or throws where they do not fit', () => {
    holds([shape, shape], (a, b) => {
      const dims = Math.max(a.length, b.length);
      const of = (sizes: number[], dim: number) => sizes[dim - dims + sizes.length] ?? 1;
      const pairs = Array.from({ length: dims }, (_, dim) => [of(a, dim), of(b, dim)] as const);
      const add = () => torch.add(counted(a), counted(b).mul(1000));
      if (pairs.some(([x, y]) => x !== y && x !== 1 && y !== 1)) {
        expect(add).toThrow(ShapeError);
        return;
      }
      const expected = pairs.map(([x, y]) => (x === 1 ? y : x));
      const sum = add();
      expect(sum.shape).toEqual(expected);
      expect(values(sum)).toEqual(indices(expected).map((index) => sourceOf(index, a) + 1000 * sourceOf(index, b)));
    });
  });

  it('sends a gradient back in the shape of what was broadcast', () => {
    holds([filled, fc.nat(3)], (sizes, dim) => {
      const narrow = sizes.map((length, i) => (i === dim ? 1 : length));
      const small = torch.ones(narrow).requiresGrad_();
      torch.mul(small, torch.ones(sizes)).sum().backward();
      expect(small.grad?.shape).toEqual(narrow);
      expect((small.grad as Tensor).sum().item()).toBe(size(sizes));
    });
  });
});

describe('views', () => {
  it('permute as indices do, and back again', () => {
    const permutation = filled.chain((sizes) =>
      fc.tuple(fc.constant(sizes), fc.shuffledSubarray([...sizes.keys()], { minLength: sizes.length })),
    );
    holds([permutation], ([sizes, order]) => {
      const permuted = counted(sizes).permute(order);
      const target = order.map((dim) => sizes[dim] as number);
      expect(permuted.shape).toEqual(target);
      const origin = (index: number[]) => sizes.map((_, dim) => index[order.indexOf(dim)] as number);
      expect(values(permuted)).toEqual(indices(target).map((index) => sourceOf(origin(index), sizes)));
      const back = permuted.permute(order.map((_, dim) => order.indexOf(dim)));
      expect(back.equal(counted(sizes))).toBe(true);
    });
  });

  it('narrow, cat, split and stack take apart and put together', () => {
    holds([filled, fc.nat(3), fc.nat(4), fc.integer({ min: 1, max: 5 })], (sizes, at, cut, part) => {
      const tensor = counted(sizes);
      const dim = at % sizes.length;
      const length = sizes[dim] as number;
      const first = Math.min(cut, length);
      const halves = [tensor.narrow(dim, 0, first), tensor.narrow(dim, first, length - first)];
      expect(torch.cat(halves, dim).equal(tensor)).toBe(true);
      expect(torch.cat(tensor.split(part, dim), dim).equal(tensor)).toBe(true);
      expect(torch.stack(tensor.unbind(dim), dim).equal(tensor)).toBe(true);
      expect(tensor.flip([dim]).flip([dim]).equal(tensor)).toBe(true);
    });
  });

  it('share their memory: what is written to one is read from the other', () => {
    holds([filled, fc.nat(3)], (sizes, at) => {
      const tensor = torch.zeros(sizes);
      const dim = at % sizes.length;
      tensor.select(dim, -1).fill_(3);
      expect(tensor.sum().item()).toBe((3 * size(sizes)) / (sizes[dim] as number));
      expect(tensor.transpose(0, dim).reshape([-1]).max().item()).toBe(3);
    });
  });
});

describe('values', () => {
  it('come back from tensors as they went in, for each type', () => {
    const arrays = fc.oneof(
      fc.float32Array({ maxLength: 20 }),
      fc.float64Array({ maxLength: 20 }),
      fc.int32Array({ maxLength: 20 }),
      fc.uint8Array({ maxLength: 20 }),
      fc.int8Array({ maxLength: 20 }),
      fc.int16Array({ maxLength: 20 }),
      fc.bigInt64Array({ maxLength: 20 }),
    );
    holds([arrays], (array) => {
      expect(torch.fromArray(array as Float32Array).toTypedArray()).toEqual(array);
    });
  });

  it('sort, cumsum and argmax as arrays do', () => {
    holds([fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 30 })], (list) => {
      const tensor = torch.tensor(list);
      const [sorted, order] = tensor.sort({ stable: true }) as [Tensor, Tensor];
      expect(values(sorted)).toEqual([...list].sort((a, b) => a - b));
      expect(values(tensor.indexSelect(0, order))).toEqual(values(sorted));
      let sum = 0;
      expect(values(tensor.cumsum(0))).toEqual(list.map((value) => (sum += value)));
      expect(list[Number(tensor.argmax().item())]).toBe(Math.max(...list));
      const distinct = torch.unique(tensor);
      expect(values(distinct)).toEqual([...new Set(list)].sort((a, b) => a - b));
    });
  });

  it('of a comparison choose elements as filter does', () => {
    holds([fc.array(number, { maxLength: 30 }), number], (list, bound) => {
      const tensor = torch.tensor(list, { dtype: 'float64' });
      const chosen = tensor.maskedSelect(tensor.gt(bound));
      expect(Array.from(chosen.toTypedArray() as Float64Array)).toEqual(list.filter((value) => value > bound));
    });
  });
});

describe('a product of matrices', () => {
  it('is that of sums, exactly for integers, and has the gradient of the rule', () => {
    const side = fc.integer({ min: 0, max: 5 });
    holds([side, side, side, fc.nat(1000)], (n, k, m, seed) => {
      torch.manualSeed(seed);
      const [a, b] = [torch.randint(-9, 10, [n, k]), torch.randint(-9, 10, [k, m])];
      const [x, y] = [a.tolist() as number[][], b.tolist() as number[][]];
      const expected = x.map((row) =>
        Array.from({ length: m }, (_, j) => row.reduce((sum, value, i) => sum + value * (y[i]?.[j] ?? 0), 0)),
      );
      expect(a.matmul(b).tolist()).toEqual(expected);
      const [p, q] = [a.to('float64').requiresGrad_(), b.to('float64')];
      p.matmul(q).sum().backward();
      expect(p.grad?.equal(torch.ones([n, m], { dtype: 'float64' }).matmul(q.t()))).toBe(true);
    });
  });
});
