/** The end of a step by own kernels against libtorch's operators; on the mock device kernels are run as C++. */
import { beforeAll, describe, expect, it } from 'vitest';
import { native } from '../../src/native.js';
import { SGD } from '../../src/optim/index.js';
import {
  callOverload,
  installKernels,
  manualSeed,
  noGrad,
  overloadOf,
  refusedKernels,
  type Tensor,
  functions as torch,
  withKernels,
} from '../../src/tensor/index.js';
import { addDevice, device, emulateKernels, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

const call = (name: string, args: unknown[]) => callOverload(overloadOf(`srrl::${name}`), args);
const onHost = (tensors: Tensor[]) => tensors.map((tensor) => tensor.to({ device: 'cpu' }).to('float64'));
const number = (value: number) => torch.full([], value, { dtype: 'float32', device });
const count = (value: number, shape: number[] = []) => torch.full(shape, value, { dtype: 'int64', device });

/** The same numbers in each call for the same shape and seed, in memory as `like` or apart from it. */
function draw(shape: number[], form: 'plain' | 'channelsLast' | 'unaligned' = 'plain'): Tensor {
  const values = torch.randn(shape, { dtype: 'float32' });
  if (form === 'channelsLast') return values.to({ device, memoryFormat: 'channelsLast' });
  if (form === 'plain') return values.to({ device });
  const flat = torch.cat([torch.zeros([1]), values.reshape([-1])], 0).to({ device });
  return flat.narrow(0, 1, values.numel()).view(shape);
}

/** More tensors than one launch has room for, of sizes around those of blocks and vectors. */
const forms: [number[], 'plain' | 'channelsLast' | 'unaligned'][] = [
  [[5, 3, 3, 3], 'channelsLast'],
  [[], 'plain'],
  [[0], 'plain'],
  [[2048], 'plain'],
  [[2051], 'unaligned'],
  [[17, 241], 'plain'],
  ...Array.from({ length: 200 }, (_, i): [number[], 'plain'] => [[(i % 13) + 1], 'plain']),
];

const far = (ours: Tensor[], plain: Tensor[]) =>
  Math.max(
    ...ours.map((tensor, i) =>
      tensor.numel() === 0
        ? 0
        : Number(
            tensor
              .sub(plain[i] as Tensor)
              .abs()
              .max()
              .item(),
          ),
    ),
  );

/** What both ways make of the same numbers. */
function both<T>(body: () => T): [ours: T, plain: T] {
  const run = () => {
    manualSeed(11);
    return noGrad(body);
  };
  return [withKernels(run), run()];
}

interface Options {
  momentum: number;
  dampening?: number;
  weightDecay?: number;
  nesterov?: boolean;
  maximize?: boolean;
  first?: boolean;
  scale?: number;
  found?: number;
}

const settings: Options[] = [
  { momentum: 0 },
  { momentum: 0, weightDecay: 0.1, maximize: true },
  { momentum: 0.9, dampening: 0.3 },
  { momentum: 0.9, dampening: 0.3, first: true },
  { momentum: 0.9, nesterov: true, weightDecay: 0.01, scale: 0.3 },
  { momentum: 0.9, nesterov: true, first: true, maximize: true },
  { momentum: 0.9, nesterov: true, scale: 0.3, found: 1 },
];

interface AdamSetting {
  weightDecay?: number;
  amsgrad?: boolean;
  maximize?: boolean;
  decoupled?: boolean;
  scale?: number;
  found?: number;
  share?: number;
}

const adamSettings: AdamSetting[] = [
  {},
  { weightDecay: 0.1, maximize: true, share: 0.25 },
  { amsgrad: true, weightDecay: 0.01, scale: 0.3 },
  { decoupled: true, weightDecay: 0.1, scale: 0.3, share: 0.25 },
  { decoupled: true, amsgrad: true, weightDecay: 0.1, maximize: true, share: 0 },
  { found: 1, share: 0.25 },
];

describe.skipIf(!isThere)('the end of a step', () => {
  beforeAll(() => expect(installKernels(device)).toMatchObject({ installed: true }));

  it.each(settings)('updates by SGD: %j', (setting) => {
    const { momentum, dampening = 0, weightDecay = 0, nesterov = false, maximize = false, first = false } = setting;
    const { scale, found = 0 } = setting;
    for (const share of [0.25, 0]) {
      const [ours, plain] = both(() => {
        const made = () => forms.map(([shape, form]) => draw(shape, form));
        const [params, gradients, momenta] = [made(), made(), momentum === 0 ? [] : made()];
        const averages = made().map((average, i) => (i % 3 === 0 ? null : average));
        const halves = params.map((param, i) => (i % 2 === 0 ? null : param.to('bfloat16')));
        const before = onHost([...params, ...momenta]);
        const factors = [number(0.1), number(found), scale === undefined ? null : number(scale), number(share)];
        const numbers = [momentum, dampening, weightDecay, nesterov, maximize, first];
        call('sgd_', [params, gradients, momenta, averages, halves, ...factors, ...numbers]);
        const isTensor = (tensor: Tensor | null): tensor is Tensor => tensor !== null;
        const [changed, average] = [onHost([...params, ...momenta]), onHost(averages.filter(isTensor))];
        return { before, changed, average, halves: onHost(halves.filter(isTensor)) };
      });
      expect(far(ours.changed, plain.changed)).toBeLessThan(3e-6);
      expect(far(ours.average, plain.average)).toBeLessThan(3e-6);
      // A value between two of bfloat16 may become either.
      expect(far(ours.halves, plain.halves)).toBeLessThan(0.02);
      if (found === 1) expect(far(ours.changed, ours.before)).toBe(0);
      else expect(far(ours.changed, ours.before)).toBeGreaterThan(0.1);
    }
  });

  it.each(adamSettings)('updates by Adam: %j', (setting) => {
    const { weightDecay = 0, amsgrad = false, maximize = false, decoupled = false, scale, found = 0, share } = setting;
    const [ours, plain] = both(() => {
      const made = () => forms.map(([shape, form]) => draw(shape, form));
      const squares = () => made().map((tensor) => tensor.abs_());
      const [params, gradients, means] = [made(), made(), made()];
      const [square, largest] = [squares(), amsgrad ? squares() : []];
      const steps = params.map((_, i) => number((i % 5) + 1));
      const averages = share === undefined ? [] : made().map((average, i) => (i % 3 === 0 ? null : average));
      const halves = params.map((param, i) => (i % 2 === 0 ? null : param.to('bfloat16')));
      const kept = [params, means, square, largest].flat();
      const before = onHost(kept);
      const factors = [number(0.1), number(found), scale === undefined ? null : number(scale), number(share ?? 0)];
      const numbers = [0.9, 0.99, weightDecay, 1e-3, maximize, decoupled];
      call('adam_', [params, gradients, means, square, largest, steps, averages, halves, ...factors, ...numbers]);
      const there = (list: (Tensor | null)[]) => onHost(list.filter((tensor): tensor is Tensor => tensor !== null));
      return { before, changed: onHost(kept), average: there(averages), halves: there(halves) };
    });
    expect(far(ours.changed, plain.changed)).toBeLessThan(3e-6);
    if (share !== undefined) expect(far(ours.average, plain.average)).toBeLessThan(3e-6);
    expect(far(ours.halves, plain.halves)).toBeLessThan(0.02);
    if (found === 1) expect(far(ours.changed, ours.before)).toBe(0);
    else expect(far(ours.changed, ours.before)).toBeGreaterThan(0.1);
  });

  it.each([
    ['sound', 1, 2],
    ['a loss', Number.NaN, 2],
    ['a statistic', 1, Number.POSITIVE_INFINITY],
    ['a gradient', 1, 2],
  ])('judges: %s', (what, loss, statistic) => {
    // In the first case more tensors than one launch has room for.
    const [some, others] = what === 'sound' ? [forms, 210] : [forms.slice(0, 9), 9];
    for (const sticky of [false, true]) {
      for (const normDecides of what === 'a gradient' ? [true, false] : [true]) {
        const [ours, plain] = both(() => {
          const gradients = some.map(([shape, form]) => draw(shape, form));
          if (what === 'a gradient') gradients[3]?.fill_(Number.POSITIVE_INFINITY);
          const statistics = Array.from({ length: others }, (_, i) => draw([i + 1]));
          statistics[7]?.fill_(statistic);
          const log = torch.zeros([3, others + 4], { dtype: 'float64', device });
          const [next, any, found, scale, share, updates] = [count(5, [1]), ...[0, 0, 0, 0].map(number), count(4)];
          const terms = [number(3), torch.full([], 0.1, { dtype: 'float64', device })];
          const values: Tensor[] = [];
          for (const value of [loss, 1, 1]) {
            const lists = [gradients, statistics, [number(value)], terms];
            const flags = [normDecides, log, next, any, found, sticky, scale, 5, share, updates, 0.3, true];
            values.push(call('judge_step', [...lists, ...flags]) as Tensor);
            gradients[3]?.fill_(1);
            statistics[7]?.fill_(1);
          }
          return onHost([...values, log, ...([next, any, found, scale, share, updates] as Tensor[])]);
        });
        for (const [i, tensor] of ours.entries())
          expect(torch.allclose(tensor, plain[i] as Tensor, 1e-5, 0, true), `${what} ${i}`).toBe(true);
        const isBad = what !== 'sound' && (what !== 'a gradient' || normDecides);
        const [, any, found, , , updates] = ours.slice(-6).map((tensor) => Number(tensor.item()));
        expect([any, found, updates]).toEqual([isBad ? 1 : 0, isBad && sticky ? 1 : 0, isBad ? (sticky ? 4 : 6) : 7]);
      }
    }
  });

  it('returns the same norm each time', () => {
    const norm = () => {
      manualSeed(5);
      const gradients = forms.map(([shape, form]) => draw(shape, form));
      const flags = [true, null, count(0, [1]), number(0), number(0), false, null, 0, null, null, 0, false];
      return withKernels(() => call('judge_step', [gradients, [], [number(1)], [number(1)], ...flags]) as Tensor);
    };
    expect(noGrad(() => norm().equal(norm()))).toBe(true);
  });

  it('reads gradients in bfloat16 as their values in float32', () => {
    const results = (cast: (gradient: Tensor) => Tensor) =>
      withKernels(() =>
        noGrad(() => {
          manualSeed(4);
          const drawn = forms.map(([shape, form]) => draw(shape, form));
          // In the memory order of the parameters, also where that is not aligned.
          const narrow = drawn.map((gradient, i) =>
            forms[i]?.[1] === 'unaligned'
              ? torch
                  .cat([gradient.narrow(0, 0, 1), gradient])
                  .to('bfloat16')
                  .narrow(0, 1, gradient.numel())
              : gradient.to('bfloat16'),
          );
          // Every other one, so that both are in one launch.
          const gradients = narrow.map((gradient, i) => (i % 2 === 0 ? cast(gradient) : gradient.to('float32')));
          const [params, momenta] = [0, 0].map(() => forms.map(([shape, form]) => draw(shape, form)));
          const flags = [true, null, count(0, [1]), number(0), number(0), false, null, 0, null, null, 0, false];
          const values = call('judge_step', [gradients, [], [number(1)], [], ...flags]) as Tensor;
          const factors = [number(0.1), number(0), number(0.3), null, 0.9, 0, 0.01, true, false, false];
          call('sgd_', [params, gradients, momenta, [], [], ...factors]);
          return onHost([values, ...(params as Tensor[]), ...(momenta as Tensor[])]);
        }),
      );
    const [narrow, wide] = [results((gradient) => gradient), results((gradient) => gradient.to('float32'))];
    for (const [i, tensor] of narrow.entries()) expect(tensor.equal(wide[i] as Tensor), `${i}`).toBe(true);
    const plain = noGrad(() => {
      const [param, gradient] = [torch.ones([3]).to({ device }), torch.full([3], 0.5).to({ device }).to('bfloat16')];
      call('sgd_', [[param], [gradient], [], [], [], number(1), number(0), null, null, 0, 0, 0, false, false, false]);
      return onHost([param])[0] as Tensor;
    });
    expect(plain.tolist()).toEqual([0.5, 0.5, 0.5]);
  });

  it('leaves the momentum alone where the first step is left out', () => {
    const [ours, plain] = both(() =>
      [[1, 0], [0]].map((flags) => {
        manualSeed(2);
        const param = draw([5]);
        param.requiresGrad = true;
        const sgd = new SGD([param], { momentum: 0.9, weightDecay: 0.1 });
        param.grad = draw([5]);
        for (const found of flags) sgd.step({ lr: [number(0.1)], foundInf: number(found) });
        const momentum = sgd.state.get(param)?.momentum_buffer as Tensor;
        return onHost([param.detach(), momentum]);
      }),
    );
    for (const [leftOut, alone] of [ours, plain]) expect(far(leftOut as Tensor[], alone as Tensor[])).toBe(0);
  });

  it('adds to means', () => {
    const [ours, plain] = both(() => {
      const [sums, weights] = [draw([4]).to('float64'), draw([4]).to('float64')];
      const values = [number(2), null, torch.full([], 9, { dtype: 'int64', device })];
      for (const found of [null, number(0), number(1)]) call('add_means_', [sums, values, weights, found]);
      return onHost([sums]);
    });
    expect(far(ours, plain)).toBeLessThan(1e-14);
  });

  it('copies where it is asked to', () => {
    const [ours, plain] = both(() => {
      const made = () => [
        ...forms.map(([shape, form]) => draw(shape, form)),
        draw([3, 5]).mul(100).to('int64'),
        draw([4097]).gt(0),
      ];
      return [null, number(0), number(1)].map((where) => {
        const [to, from] = [made(), made()];
        const before = onHost(to);
        call('copy_all_', [to, from, where]);
        return { to: onHost(to), from: onHost(from), before };
      });
    });
    for (const [i, { to, from, before }] of ours.entries()) {
      expect(far(to, i === 1 ? before : from)).toBe(0);
      expect(far(to, plain[i]?.to as Tensor[])).toBe(0);
    }
  });

  it('refuses gradients and states of another size or type, which libtorch would read beyond their end', () => {
    const list = (size: number, dtype: 'float32' | 'float64' | 'bfloat16' = 'float32') => [
      torch.ones([size], { dtype }),
    ];
    const number = (value: number) => torch.full([], value, { dtype: 'float32' });
    const rest = [[], [], number(0.1), number(0), null, null];
    const sgd = (gradients: Tensor[], momenta: Tensor[]) =>
      call('sgd_', [list(4), gradients, momenta, ...rest, 0.9, 0, 0, false, false, false]);
    const adam = (gradients: Tensor[], squares: Tensor[]) =>
      call('adam_', [list(4), gradients, list(4), squares, [], list(1), ...rest, 0.9, 0.99, 0, 1e-8, false, true]);
    for (const step of [sgd, adam]) {
      for (const wrong of [list(1), list(4, 'float64'), list(0)]) {
        expect(() => step(wrong, list(4))).toThrow(/gradient 0 must have the size, type and device of its parameter/);
        expect(() => step(list(4), wrong)).toThrow(/state 0 must have the size, type and device of its parameter/);
      }
      expect(() => step(list(4), list(4, 'bfloat16'))).toThrow(/state 0 must have/);
      step(list(4, 'bfloat16'), list(4));
    }
  });

  it('agrees with the plain operators, by the kernels of each kind', () => {
    expect(refusedKernels(device)).toEqual([]);
    const kinds = native()
      .kernelVerdicts()
      .map(({ kind }) => kind);
    const step = ['step_copy', 'step_judge', 'step_magnitudes', 'step_means'];
    expect(kinds.sort()).toEqual([...step, 'update_adam', 'update_sgd']);
  });
});
