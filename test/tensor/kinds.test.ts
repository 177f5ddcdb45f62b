/**
 * Every kind of tensor without plain memory, through everything that reads memory: right values or a typed error, and
 * never a crash.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import torch, {
  loadPth,
  loadSafetensors,
  nn,
  optim,
  SrrlError,
  saveNpy,
  saveNpz,
  savePth,
  saveSafetensors,
  Tensor,
} from '../../src/torch.js';

const recorded = JSON.parse(readFileSync(new URL('../fixtures/data/kinds.json', import.meta.url), 'utf8')) as {
  printed: Record<string, string>;
  steps: Record<string, number[]>;
};

const numbers = () =>
  torch.tensor([
    [0, 1.5, 0],
    [2, 0, -3],
  ]);
const square = () => torch.arange(16).float().view(4, 4);
const complex = () => torch.complex(torch.tensor([1.5, 3.5]), torch.tensor([2.5, -4.5])).mul(2);
const stepGradient = () => {
  const x = torch.randn([2, 3], { requiresGrad: true });
  return torch.grad([x.sgn().sum()], [x])[0] as Tensor;
};

/** A tensor of each kind, and its values where they can be read. */
const kinds: Record<string, { make: () => Tensor; values?: unknown }> = {
  'gradient of sgn': {
    make: stepGradient,
    values: [
      [0, 0, 0],
      [0, 0, 0],
    ],
  },
  'zeros without memory': {
    make: () => torch._efficientzerotensor([2, 3], { dtype: 'float32', device: 'cpu' }),
    values: [
      [0, 0, 0],
      [0, 0, 0],
    ],
  },
  'view of zeros without memory': {
    make: () => torch._efficientzerotensor([2, 3], { dtype: 'float32', device: 'cpu' }).t(),
    values: [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  },
  'integer zeros without memory': {
    make: () => torch._efficientzerotensor([2], { dtype: 'int64', device: 'cpu' }),
    values: [0, 0],
  },
  'product with zeros without memory': {
    make: () => torch._efficientzerotensor([2], { dtype: 'float32', device: 'cpu' }).mul(torch.tensor([1.5, 2])),
    values: [0, 0],
  },
  conjugate: {
    make: () => complex().conj(),
    values: [
      [3, -5],
      [7, 9],
    ],
  },
  negative: { make: () => complex().conj().imag(), values: [-5, 9] },
  'negative view': { make: () => torch._negView(torch.tensor([1.5, 2])), values: [-1.5, -2] },
  transposed: {
    make: () => numbers().t(),
    values: [
      [0, 2],
      [1.5, 0],
      [0, -3],
    ],
  },
  expanded: { make: () => torch.tensor([1.5]).expand([3]), values: [1.5, 1.5, 1.5] },
  empty: { make: () => torch.zeros([0, 3]), values: [] },
  coo: { make: () => numbers().toSparse() },
  'coo uncoalesced': { make: () => torch.sparseCooTensor(torch.tensor([[0, 0]]), torch.tensor([1.5, 2]), [3]) },
  csr: { make: () => numbers().toSparseCsr() },
  csc: { make: () => numbers().toSparseCsc() },
  bsr: { make: () => square().toSparseBsr([2, 2]) },
  bsc: { make: () => square().toSparseBsc([2, 2]) },
  mkldnn: { make: () => numbers().toMkldnn() },
  nested: { make: () => torch._nestedTensorFromTensorList([torch.tensor([1.5, 2]), torch.tensor([3.5])]) },
  quantized: { make: () => torch.quantizePerTensor(numbers(), 0.5, 10, 'quint8') },
  'quantized channels': {
    make: () => torch.quantizePerChannel(numbers(), torch.tensor([0.5, 0.25]), torch.tensor([0, 1]), 0, 'qint8'),
  },
  meta: { make: () => torch.empty([2, 3], { device: 'meta' }) },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'srrl-kinds-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The result, or the error where it is one of ours; anything else fails. */
function tried<T>(body: () => T): T | SrrlError {
  try {
    return body();
  } catch (error) {
    expect(error).toBeInstanceOf(SrrlError);
    return error as SrrlError;
  }
}

const readers: Record<string, (tensor: Tensor) => unknown> = {
  tolist: (tensor) => tensor.tolist(),
  toTypedArray: (tensor) => tensor.toTypedArray(),
  'a worker': (tensor) => torch.receiveTensor(torch.sendTensor(tensor.detach())).tolist(),
  clone: (tensor) => tensor.clone().tolist(),
  'torch.tensor': (tensor) => torch.tensor(tensor).tolist(),
};

describe.each(Object.entries(kinds))('%s', (_name, { make, values }) => {
  it.each(Object.entries(readers))('is read by %s, or the error names the remedy', (name, read) => {
    const result = tried(() => read(make()));
    if (values === undefined) {
      expect(result).toBeInstanceOf(SrrlError);
      expect((result as Error).message).toMatch(/toDense\(\)|dequantize\(\)|unbind\(\)|meta/);
    } else if (name !== 'toTypedArray') expect(result).toEqual(values);
    else expect(Array.from(result as ArrayLike<number>, Number)).toEqual((values as unknown[]).flat(3).map(Number));
  });

  it('is viewed only where its memory holds its values', () => {
    const result = tried(() => make().viewTypedArray());
    if (!(result instanceof SrrlError))
      expect(Array.from(result as Float32Array)).toEqual((values as unknown[]).flat(3));
  });

  it('is written to files, or not at all', async () => {
    const file = join(folder, 'tensor');
    const tensor = make();
    const pth = tried(() => savePth(file, { x: tensor }));
    if (values === undefined) expect((pth as Error).message).toContain(file);
    else expect(((await loadPth(file)) as { x: Tensor }).x.tolist()).toEqual(values);
    const safetensors = tried(() => saveSafetensors(file, { 'a.b': tensor }));
    if (values === undefined) expect((safetensors as Error).message).toContain("'a.b'");
    else expect(loadSafetensors(file).tensors['a.b']?.tolist()).toEqual(values);
    for (const save of [() => saveNpy(file, tensor), () => saveNpz(file, { x: tensor })]) {
      if (values === undefined) expect(tried(save)).toBeInstanceOf(SrrlError);
      else save();
    }
  });

  it('has properties, or a typed error in their place', () => {
    const tensor = make();
    for (const property of [
      'shape',
      'strides',
      'dtype',
      'device',
      'ndim',
      'layout',
      'isNested',
      'grad',
      'gradFn',
      'isLeaf',
    ] as const)
      tried(() => tensor[property]);
    for (const call of [
      () => tensor.numel() as unknown,
      () => tensor.storageOffset(),
      () => tensor.isContiguous(),
      () => tensor.item(),
      () => [...tensor],
      () => tensor.at(0).tolist(),
      () => `${tensor}`,
      () => Number(tensor),
      () => tensor.equal(make()),
    ])
      tried(call);
    expect(inspect(tensor)).toMatch(/^(nested_)?tensor\(/);
    torch.memory();
  });

  it('goes through our own operators, each argument in turn, without a crash', () => {
    const map = () => torch.randn([2, 32, 8, 8]).contiguous({ memoryFormat: 'channelsLast' });
    const row = () => torch.ones([32]);
    const calls: Record<string, () => unknown[]> = {
      'srrl::affine': () => [map(), row(), row(), true],
      'srrl::conv3x3': () => [map(), torch.randn([32, 32, 3, 3]), row()],
      'srrl::conv3x3_frozen': () => [map(), torch.randn([32, 32, 3, 3]), torch.randn([36, 32, 32]), row(), map(), true],
      'srrl::batch_norm_relu': () => [map(), row(), row(), row(), row(), map(), 0.1, 1e-5],
      'srrl::norm_frozen': () => [map(), row(), row(), row(), row(), row(), 1e-5, true],
      'srrl::norm_frozen_sum': () => [map(), map(), row(), row(), row(), row(), row(), 1e-5],
      'srrl::batch_norm': () => [map(), row(), row(), row(), row(), 0.1, 1e-5],
      'srrl::batch_norm_relu_sum': () => [map(), map(), row(), row(), row(), row(), 0.1, 1e-5],
      'srrl::normalized_views': () => [
        torch.zeros([2, 3, 4, 4], { dtype: 'uint8' }),
        torch.zeros([1], { dtype: 'int64' }),
        [0.5, 0.5, 0.5],
        [1, 1, 1],
        1,
        true,
        1,
        1,
      ],
      'srrl::normalized_pixels': () => [
        torch.zeros([2, 4, 4, 3], { dtype: 'uint8' }),
        torch.zeros([2], { dtype: 'bool' }),
        [0.5, 0.5, 0.5],
        [1, 1, 1],
      ],
    };
    for (const [operator, args] of Object.entries(calls)) {
      torch.dispatch(operator, ...args());
      for (const [i, arg] of args().entries()) {
        if (!(arg instanceof Tensor)) continue;
        tried(() => torch.dispatch(operator, ...args().with(i, make())));
        // The same shape and dtype as what the operator expects, so that only the missing memory tells.
        const { shape, dtype } = arg;
        const zero = torch._efficientzerotensor(shape, { dtype, device: 'cpu' });
        const result = tried(() => torch.dispatch(operator, ...args().with(i, zero)));
        if (result instanceof Tensor) result.toTypedArray();
      }
    }
  });

  it('is a gradient, a parameter, a state and a seed, or a typed error', () => {
    const tensor = make();
    const shape = tried(() => tensor.shape);
    const parameter = () => torch.zeros(shape instanceof Error ? [2, 3] : shape, { requiresGrad: true });
    for (const Kind of [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Lion, optim.Muon]) {
      tried(() => {
        const weight = parameter();
        weight.grad = make();
        const optimizer = new Kind([weight]);
        optimizer.step();
        optimizer.dispose();
        weight.toTypedArray();
      });
      tried(() => {
        const weight = make().detach().requiresGrad_();
        weight.grad = torch.ones(weight.shape);
        new Kind([weight]).step();
      });
    }
    tried(() => {
      const weight = parameter();
      weight.grad = make();
      optim.clipGradNorm_([weight], 1);
      optim.clipGradValue_([weight], 1);
      const scaler = new optim.GradScaler();
      scaler.unscale_(new optim.SGD([weight]));
    });
    tried(() => torch.setRngState(tensor));
    tried(() => torch.setRngState(torch._efficientzerotensor([5056], { dtype: 'uint8', device: 'cpu' })));
    tried(() => parameter().mul(1).backward(make()));
    tried(() => new nn.Parameter(make()).tolist());
  });
});

it.each(Object.keys(recorded.steps))('%s steps on zeros without memory as PyTorch does by default', (name) => {
  const options: Record<string, object> = {
    SGD: { lr: 0.1 },
    'SGD momentum': { lr: 0.1, momentum: 0.9, weightDecay: 0.1 },
    Adam: { lr: 0.1, weightDecay: 0.1 },
    AdamW: { lr: 0.1 },
    RMSprop: { lr: 0.1, weightDecay: 0.1 },
  };
  const parameter = torch.tensor([0.5, -1, 2], { requiresGrad: true });
  const Kind = optim[(name.split(' ')[0] ?? '') as 'SGD'];
  const optimizer = new Kind([parameter], options[name]);
  for (let step = 0; step < 2; step++) {
    optimizer.zeroGrad();
    parameter.sgn().sum().backward();
    optimizer.step();
  }
  const expected = recorded.steps[name] as number[];
  for (const [i, value] of (parameter.tolist() as number[]).entries())
    expect(value).toBeCloseTo(expected[i] as number, 6);
});

it('SGD takes sparse gradients as dense ones, and Adam says that it does not', () => {
  const embedded = () => {
    const layer = new nn.Embedding(4, 2, { sparse: true });
    torch.noGrad(() => layer.weight.fill_(1));
    layer
      .forward(torch.tensor([1, 1, 3]))
      .sum()
      .backward();
    return layer;
  };
  const layer = embedded();
  new optim.SGD(layer.parameters(), { lr: 0.5 }).step();
  expect(layer.weight.tolist()).toEqual([
    [1, 1],
    [0, 0],
    [1, 1],
    [0.5, 0.5],
  ]);
  expect(() => new optim.Adam(embedded().parameters()).step()).toThrow(/sparse gradient, which only SGD accepts/);
});

it('a step refuses parameters that are views with gaps, and walks through gradients of another order', () => {
  const whole = torch.zeros([3, 4]);
  const part = whole.narrow(1, 0, 2).detach().requiresGrad_();
  part.grad = torch.ones([3, 2]);
  expect(() => new optim.SGD([part], { lr: 1 }).step()).toThrow(/gaps or overlaps.*clone\(\)/);
  expect(whole.abs().sum().item()).toBe(0);
  const weight = torch.zeros([2, 3], { requiresGrad: true });
  weight.grad = torch
    .tensor(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      { dtype: 'float32' },
    )
    .t();
  new optim.SGD([weight], { lr: 1 }).step();
  expect(weight.tolist()).toEqual([
    [-1, -3, -5],
    [-2, -4, -6],
  ]);
});

it('a gradient must fit its tensor', () => {
  const x = torch.zeros([2, 3], { requiresGrad: true });
  expect(() => {
    x.grad = torch.zeros([3, 2]);
  }).toThrow(/shape \[3, 2\] does not fit a tensor of shape \[2, 3\]/);
  expect(() => {
    x.grad = torch.zeros([2, 3], { dtype: 'float64' });
  }).toThrow(/does not fit a tensor of/);
});

describe('printing', () => {
  const double = () => numbers().to('float64');
  const printed: Record<string, () => Tensor> = {
    zero: () => torch._efficientzerotensor([2, 3], { dtype: 'float32', device: 'cpu' }),
    coo: () => numbers().toSparse(),
    'coo double': () => double().toSparse(),
    'coo empty': () => torch.zeros([0, 2]).toSparse(),
    'coo hybrid': () => torch.arange(8).float().view(2, 2, 2).toSparse(1),
    'coo uncoalesced': () =>
      torch.sparseCooTensor(torch.tensor([[0, 0]]), torch.tensor([1, 2], { dtype: 'float32' }), [3]),
    'coo requires grad': () => numbers().toSparse().requiresGrad_(),
    csr: () => numbers().toSparseCsr(),
    csc: () => numbers().toSparseCsc(),
    bsr: () => square().toSparseBsr([2, 2]),
    bsc: () => square().toSparseBsc([2, 2]),
    quantized: () => torch.quantizePerTensor(numbers(), 0.5, 10, 'quint8'),
    'quantized channels': () =>
      torch.quantizePerChannel(numbers(), torch.tensor([0.5, 0.25]), torch.tensor([0, 1]), 0, 'qint8'),
    meta: () => torch.empty([2, 3], { device: 'meta' }),
    'meta int': () => torch.empty([2, 3], { device: 'meta', dtype: 'int64' }),
    nested: () =>
      torch._nestedTensorFromTensorList([
        torch.tensor([1, 2], { dtype: 'float32' }),
        torch.tensor([3], { dtype: 'float32' }),
      ]),
    'nested matrices': () => torch._nestedTensorFromTensorList([torch.ones([2, 2]), torch.zeros([1, 2])]),
    mkldnn: () => numbers().toMkldnn(),
    conjugate: () =>
      torch.complex(torch.tensor([1, 3], { dtype: 'float32' }), torch.tensor([2, -4], { dtype: 'float32' })).conj(),
    negative: () =>
      torch
        .complex(torch.tensor([1, 3], { dtype: 'float32' }), torch.tensor([2, -4], { dtype: 'float32' }))
        .conj()
        .imag(),
  };
  // Python's names and tuples become JavaScript's; lines may break elsewhere then, as names have other lengths.
  const inJavaScript = (text: string) =>
    text
      .replaceAll(/size=\(([\d, ]*?),?\)/g, 'size=[$1]')
      .replaceAll('torch.', '')
      .replaceAll('requires_grad=True', 'requiresGrad=true')
      .replaceAll(
        /(\w)_(indices|scheme|point)=/g,
        (_all, before: string, after: string) => `${before}${after[0]?.toUpperCase()}${after.slice(1)}=`,
      )
      .replaceAll(/\s+/g, '');

  it.each(Object.keys(recorded.printed))('of %s is as in PyTorch', (name) => {
    expect(String((printed[name] as () => Tensor)()).replaceAll(/\s+/g, '')).toBe(
      inJavaScript(recorded.printed[name] as string),
    );
  });
});
