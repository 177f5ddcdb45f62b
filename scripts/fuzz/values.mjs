// Values that calls are tried with: tensors of every kind, and what is none.
import { Worker } from 'node:worker_threads';
import torch, { Complex, Float, Generator, Tensor } from '../../dist/torch.js';

/** Tensors that a thread made which has ended, and numbers by which it knew others. */
async function fromElsewhere() {
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { default: torch } = await import(workerData);
    const own = Array.from({ length: 5000 }, () => torch.ones([2]));
    const leaf = torch.ones([2, 3]).requiresGrad_();
    const made = [leaf, torch.eye(3).toSparse(), torch.quantizePerTensor(torch.ones([2]), 0.1, 2, 'qint8'),
      torch.zeros([2, 3]), torch.fromArray(new Float32Array(6), [2, 3])];
    parentPort.postMessage({ sent: made.map((tensor) => torch.sendTensor(tensor)), handles: own.slice(-20).map(({ handle }) => handle) });
  `;
  const url = new URL('../../dist/torch.js', import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData: url });
  const { sent, handles } = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  const tensors = sent.map((one) => torch.receiveTensor(one));
  await new Promise((resolve) => worker.once('exit', resolve));
  return { tensors, handles };
}
const elsewhere = await fromElsewhere();

const number = (random) => random.pick([0, 1, 2, 3, 5]);
const shape = (random) => Array.from({ length: random.below(5) }, () => number(random));
const dtypes = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'uint8',
  'bool',
  'complex64',
  'int8',
  'uint16',
  'float8_e5m2',
];
const ofIntegers = (random) =>
  torch.randint(-3, 6, shape(random), { dtype: random.pick(['int64', 'int64', 'int32', 'uint8']) });

const strided = {
  plain: (random) => torch.randn(shape(random)),
  typed: (random) =>
    torch
      .ones(shape(random))
      .mul(random.pick([0, 1, 3, 200]))
      .to(random.pick(dtypes)),
  integers: ofIntegers,
  image: () => torch.randn([2, 3, 5, 5]),
  channelsLast: () => torch.randn([2, 3, 4, 4]).contiguous({ memoryFormat: 'channelsLast' }),
  matrix: (random) => torch.randn([random.pick([0, 1, 3]), 3]),
  empty: () => torch.zeros([0]),
  scalar: (random) => torch.tensor(random.pick([0, 1, -1, 0.5, 1e30, Number.NaN, true])),
  transposed: () => torch.randn([3, 2]).t(),
  expanded: () => torch.randn([1]).expand([3, 3]),
  overlapping: () => torch.randn([6]).asStrided([3, 3], [1, 1]),
  leaf: (random) => torch.randn(shape(random)).requiresGrad_(),
  result: () => torch.randn([2, 2]).requiresGrad_().mul(2),
  inference: () => torch.inferenceMode(() => torch.ones([2, 3])),
  viewed: () => {
    const tensor = torch.ones([2, 3]);
    tensor.viewTypedArray();
    return tensor;
  },
  borrowed: () => torch.fromArray(new Float32Array(new SharedArrayBuffer(24)), [2, 3], { share: true }),
};

const special = {
  conjugate: () => torch.ones([2, 2]).to('complex64').conj(),
  negative: () => torch.imag(torch.ones([2, 2]).to('complex64').conj()),
  zeros: () => torch._efficientzerotensor([2, 3]),
  meta: (random) => torch.empty(shape(random), { device: 'meta', dtype: random.pick(['float32', 'int64']) }),
  quantized: (random) =>
    torch.quantizePerTensor(torch.randn([2, 3]), random.pick([0.1, 1]), 2, random.pick(['quint8', 'qint8', 'qint32'])),
  channels: () =>
    torch.quantizePerChannel(torch.randn([2, 3]), torch.tensor([0.1, 0.2]), torch.tensor([0, 1]), 0, 'qint8'),
  coo: () => torch.randn([3, 3]).toSparse(),
  uncoalesced: () =>
    torch.sparseCooTensor(
      torch.tensor([
        [0, 0],
        [1, 1],
      ]),
      torch.ones([2]),
      [2, 2],
    ),
  csr: () => torch.eye(3).toSparseCsr(),
  csc: () => torch.eye(3).toSparseCsc(),
  bsr: () => torch.eye(4).toSparseBsr([2, 2]),
  emptySparse: () => torch.zeros([0, 2]).toSparse(),
  nested: () => torch._nestedTensorFromTensorList([torch.ones([2, 3]), torch.ones([1, 3])]),
  mkldnn: () => torch.randn([2, 3]).toMkldnn(),
  // Of its own memory, so that a case does not depend on those before it; its gradient goes to the other thread's leaf.
  elsewhere: (random) => random.pick(elsewhere.tensors).clone(),
  received: () => torch.receiveTensor(torch.sendTensor(torch.ones([2, 3]).requiresGrad_())),
};

const makers = Object.values(strided);
const specialMakers = Object.values(special);

/** A new tensor of any kind; mostly a dense one, so that many calls work. */
export function tensor(random) {
  return random.once(4) ? random.pick(specialMakers)(random) : random.pick(makers)(random);
}

const disposed = torch.ones([2]);
disposed.dispose();
const cyclic = [];
cyclic.push(cyclic);
const generator = new Generator(1);
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const thrower = new Proxy({}, { get: () => undefined, ownKeys: () => ['a'] });

const texts = [
  '',
  'x',
  'float32',
  'cpu',
  'cuda:99',
  'none',
  'mean',
  'ij',
  'strided',
  'toString',
  '__proto__',
  'x'.repeat(100_000),
  '\u0000',
  'é',
];
const numbers = [
  0,
  1,
  2,
  3,
  -1,
  -2,
  7,
  0.5,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  -(2 ** 31),
  2 ** 53,
  -(2 ** 63),
  1e300,
  1000,
];

const odd = [
  (random) => random.pick(texts),
  (random) => random.pick(numbers),
  (random) => random.pick([10n ** 30n, -(2n ** 63n), 2n ** 64n - 1n, 1n]),
  () => null,
  () => undefined,
  (random) => random.once(2),
  (random) => Array.from({ length: random.below(4) }, () => random.pick(numbers)),
  (random) => Array.from({ length: random.below(3) }, () => tensor(random)),
  (random) => [tensor(random), null],
  (random) => [random.pick([null, undefined, 'x', {}, [], Number.NaN])],
  () => cyclic,
  () => [],
  () => ({}),
  (random) => ({ dim: random.pick(numbers) }),
  (random) => ({
    [random.pick(['requiresGrad', 'dtype', 'device', 'out', 'generator', 'nothing', 'keepdim', 'dim', 'memoryFormat'])]:
      random.once(2) ? tensor(random) : random.pick([...numbers, ...texts, true, null]),
  }),
  () => Symbol('a'),
  () => () => 1,
  () => new Date(0),
  () => generator,
  () => disposed,
  // A number that looks like another thread's tensor, or like one that was freed.
  (random) => ({ handle: random.pick([0, 1, -1, Number.NaN, 16777216, 2 ** 53, 'x']) }),
  (random) => ({ handle: random.pick(elsewhere.handles) }),
  (random) => Object.assign(Object.create(Tensor.prototype), { handle: random.pick(elsewhere.handles) }),
  () => Object.create(Tensor.prototype),
  () => thrower,
  () => Object.create(null),
  () => new Float32Array(3),
  () => new Uint8Array(new SharedArrayBuffer(4)),
  () => new Map([['a', 1]]),
  () => new Float(2),
  () => new Complex(1, 2),
  () => Promise.resolve(1),
];

/** Any value at all; about half of them tensors. */
export function anything(random) {
  return random.once(2) ? tensor(random) : random.pick(odd)(random);
}

/** A value that is not a tensor. */
export const oddity = (random) => random.pick(odd)(random);

const sensible = {
  Tensor: tensor,
  int: (random) => random.pick([0, 1, 2, 3, -1, -2, 7, 1000, -1000]),
  float: (random) => random.pick([0, 1, 0.5, -1, Number.NaN, 1e30, 1e-30]),
  bool: (random) => random.once(2),
  Scalar: (random) => random.pick([0, 1, 2, -1, 0.5, true, Number.NaN, new Complex(1, 1)]),
  str: (random) =>
    random.pick(['none', 'mean', 'sum', '', 'ij', 'reflect', 'trunc', 'floor', 'tanh', 'constant', 'linear']),
  ScalarType: (random) => random.pick(dtypes),
  Layout: (random) => random.pick(['strided', 'strided', 'sparse_coo', 'sparse_csr']),
  MemoryFormat: (random) => random.pick(['contiguous', 'channelsLast', 'preserve']),
  Device: (random) => random.pick(['cpu', 'cpu', 'meta']),
  Generator: () => generator,
};

/** A value of the kind that a parameter of an operator asks for. */
export function valueFor(parameter, random) {
  if (parameter.optional && random.once(3)) return null;
  if (parameter.hasDefault && random.once(2)) return undefined;
  const one = () => sensible[parameter.kind]?.(random);
  return parameter.list
    ? Array.from({ length: random.once(8) ? random.below(6) : parameter.size || random.below(4) }, one)
    : one();
}

/** A value in a few words, for the record of a case. */
export function shown(value) {
  if (value instanceof Tensor) {
    try {
      const { dtype, device, layout, isNested } = value;
      const kind = isNested
        ? 'nested'
        : `[${value.shape}] ${layout === 'strided' ? `strides [${value.strides}]` : layout}`;
      return `Tensor(${kind} ${dtype} ${device}${value.requiresGrad ? ' requiresGrad' : ''})`;
    } catch {
      return 'Tensor(unusable)';
    }
  }
  if (Array.isArray(value)) return value === cyclic ? 'cyclic' : `[${value.map(shown).join(', ')}]`;
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (value === thrower) return 'Proxy';
  const entries = Object.entries(value).map(([name, inner]) => `${name}: ${shown(inner)}`);
  return `${Object.getPrototypeOf(value)?.constructor?.name ?? ''} {${entries.join(', ')}}`;
}
