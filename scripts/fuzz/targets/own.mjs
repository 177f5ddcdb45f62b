// The package's own operators: valid calls of which one or two arguments are then changed, since values at random are
// refused before they reach the code that reads memory.
import { readFileSync } from 'node:fs';
import { decodeTurbo } from '../../../dist/data/turbo-jpeg.js';
import { native } from '../../../dist/native.js';
import { parameterOf } from '../../../dist/tensor/arguments.js';
import torch, { dispatch, Tensor } from '../../../dist/torch.js';
import { shown, tensor } from '../values.mjs';

const fixture = new URL('../../../test/fixtures/data/jpeg.json', import.meta.url);
const jpeg = Buffer.from(JSON.parse(readFileSync(fixture, 'utf8')).files['4:2:0'].file, 'base64');

const map = (channels, size = 6) => torch.randn([2, channels, size, size]).contiguous({ memoryFormat: 'channelsLast' });
const vector = (count) => torch.rand([count]).add(0.5);
const weight = (out, into, size = 3) => torch.randn([out, into, size, size]);
const bytes = (shape) => torch.randint(0, 256, shape, { dtype: 'uint8' });
const scalar = (value, dtype = 'float32') => torch.tensor(value, { dtype });
const pair = () => [torch.randn([4, 3]), torch.randn([5])];
const statistics = (channels) => [vector(channels), vector(channels)];
const none = [null, null];
const norm = (channels) => [vector(channels), torch.randn([channels])];
const tail = [0.1, 1e-5, null];

/** Arguments of a valid call, in the order of the schema. */
const recipes = {
  adam_: () => [
    ...Array.from({ length: 5 }, pair),
    pair().map(() => scalar(1)),
    none,
    none,
    ...rates(),
    0.9,
    0.99,
    0.1,
    1e-8,
    false,
    true,
  ],
  add_means_: () => [
    torch.zeros([4], { dtype: 'float64' }),
    [scalar(1), null, scalar(2)],
    vector(4).to('float64'),
    scalar(0),
  ],
  affine: () => [map(8), vector(8), vector(8), true],
  batch_norm: () => [map(16), ...norm(16), ...statistics(16), ...tail],
  batch_norm_relu: () => [map(16), ...norm(16), ...statistics(16), map(16), ...tail],
  batch_norm_relu_pool: () => [map(16), ...norm(16), ...statistics(16), ...tail],
  batch_norm_relu_sum: () => [map(16), map(16), ...norm(16), ...statistics(16), ...tail],
  conv2d: () => [
    map(4),
    weight(8, 4),
    vector(8),
    weight(8, 4).to('bfloat16'),
    vector(8).to('bfloat16'),
    [1, 1],
    [1, 1],
    [1, 1],
    1,
  ],
  conv3x3: () => [map(16, 8), weight(32, 16), vector(32)],
  conv3x3_frozen: () => [map(16, 8), weight(32, 16), torch.randn([36, 16, 32]), vector(32), map(32, 8), true],
  conv_relu: () => [map(4), weight(8, 4), vector(8), map(8), [1, 1], [1, 1], [1, 1], 1],
  copy_all_: () => [pair(), pair(), null],
  cross_entropy: () => [torch.randn([4, 7]), torch.randint(0, 7, [4]), 0.1],
  decode_jpeg: () => [torch.fromArray(jpeg, [jpeg.length]), bytes([8, 8, 3]), [0, 0, 16, 16], 1, [8, 8], [0, 0]],
  jpeg_size: () => [torch.fromArray(jpeg, [jpeg.length])],
  judge_step: () => [
    pair(),
    [vector(3)],
    [scalar(1)],
    [scalar(1)],
    true,
    torch.zeros([4, 4], { dtype: 'float64' }),
    torch.zeros([1], { dtype: 'int64' }),
    scalar(0),
    scalar(0),
    false,
    scalar(1),
    1,
    scalar(0),
    scalar(0, 'int64'),
    0.9,
    true,
  ],
  max_pool2d: () => [map(4), [3, 3], [2, 2], [1, 1], [1, 1], false],
  narrowed: () => [weight(2, 2), weight(2, 2).to('bfloat16')],
  norm_frozen: () => [map(8), ...norm(8), ...statistics(8), vector(8), 1e-5, true],
  norm_frozen_sum: () => [map(8), map(8), ...norm(8), ...statistics(8), vector(8), 1e-5],
  normalized_pixels: () => [bytes([2, 4, 5, 3]), torch.tensor([true, false]), [0.5, 0.5, 0.5], [1, 1, 1]],
  normalized_views: () => [bytes([4, 3, 5, 6]), torch.tensor([0, 3, 1]), [0.5, 0.5, 0.5], [1, 1, 1], 2, true, 1, 2],
  pixel_values: () => [
    [0.5, 0.4],
    [1, 2],
  ],
  regression_losses: () => [
    torch.randn([4, 6]),
    torch.randn([4, 6]),
    torch.randn([4, 7]),
    torch.randn([7, 6]),
    vector(7),
  ],
  sgd_: () => [pair(), pair(), pair(), none, none, ...rates(), 0.9, 0, 0.1, false, false, false],
  vector_lanes: () => [8],
  view_draws: () => [[1, 2, 3], 2, true, 1, 2],
  views_on: () => [bytes([4, 3, 5, 6]), torch.tensor([0, 3]), torch.zeros([2, 3], { dtype: 'int64' }), vector(768)],
};
const rates = () => [scalar(0.1), scalar(0), scalar(1), scalar(0.1)];

const changes = {
  size: (random, one) => {
    const dim = random.below(Math.max(1, one.ndim));
    const shape = one.shape.map((size, i) =>
      i === dim ? random.pick([0, 1, size + 1, 2 * size, Math.max(0, size - 1)]) : size,
    );
    return torch.ones(shape).to(one.dtype);
  },
  dims: (random, one) =>
    random.pick([() => one.unsqueeze(0), () => one.flatten(), () => one.reshape([-1]).narrow(0, 0, 1).squeeze()])(),
  dtype: (random, one) =>
    one.to(random.pick(['float32', 'float64', 'bfloat16', 'float16', 'int64', 'int32', 'uint8', 'bool', 'complex64'])),
  layout: (random, one) =>
    random.pick([
      () => one.contiguous(),
      () => one.transpose(0, -1).contiguous().transpose(0, -1),
      () => torch.stack([one, one], -1).select(-1, 1),
    ])(),
  expanded: (_random, one) => torch.ones([1]).to(one.dtype).expand(one.shape),
  gradient: (_random, one) => (one.isFloatingPoint() ? one.detach().requiresGrad_() : one),
  values: (random, one) => one.clone().fill_(random.pick([0, -1, 1e9, 200])),
  device: (_random, one) => one.to({ device: 'meta' }),
  other: (random) => tensor(random),
  nothing: () => null,
};
const numbers = [
  -1,
  0,
  1,
  2,
  3,
  1000,
  2 ** 31 - 1,
  2 ** 32,
  2 ** 40,
  2n ** 63n - 1n,
  -(2n ** 63n),
  0.5,
  -1e300,
  Number.NaN,
  Number.POSITIVE_INFINITY,
];

function changed(random, value) {
  if (value instanceof Tensor) return changes[random.pick(Object.keys(changes))](random, value);
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return random.pick(numbers);
  if (!Array.isArray(value)) return tensor(random);
  const at = random.below(value.length + 1);
  if (at === value.length) return random.pick([[], value.slice(1), [...value, ...value]]);
  return value.map((one, i) => (i === at ? changed(random, one) : one));
}

function callChanged(random, trial, [name, recipe]) {
  const given = recipe();
  for (let count = random.below(3); count > 0; count--) {
    const at = random.below(given.length);
    given[at] = changed(random, given[at]);
  }
  const { arguments: parameters } = native().schema(native().resolve(`srrl::${name}`, ''));
  const keywordOnly = parameters
    .map((parameter) => parameterOf(parameter))
    .map(({ keywordOnly: only, key }) => only && key);
  const positional = given.filter((_, i) => !keywordOnly[i]);
  const options = Object.fromEntries(given.flatMap((value, i) => (keywordOnly[i] ? [[keywordOnly[i], value]] : [])));
  trial.note(() => `dispatch('srrl::${name}', ${[...positional, options].map(shown).join(', ')})`);
  const result = [dispatch(`srrl::${name}`, ...positional, options)].flat();
  for (const one of [...given.flat(), ...result]) {
    if (!(one instanceof Tensor) || one.device !== 'cpu' || one.isSparse) continue;
    one.detach().toTypedArray?.();
  }
  if (result[0]?.requiresGrad) result[0].sum().backward();
}

export default {
  unit: 'calls',
  async setup() {
    // Opens the decoder.
    const whole = { box: { left: 0, top: 0, width: 8, height: 8 }, denominator: 1 };
    const part = { ...whole, resized: { width: 8, height: 8, left: 0, top: 0 } };
    await decodeTurbo(jpeg, new Uint8Array(new SharedArrayBuffer(192)), [8, 8], () => part);
    const all = Object.entries(recipes);
    return (random, trial) => {
      trial.count(1);
      torch.scope(() => callChanged(random, trial, random.pick(all)));
    };
  },
};
