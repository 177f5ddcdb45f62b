/**
 * Initializers, as torch.nn.init: they fill a tensor in place, draw from the default generator, and return the tensor.
 */
import { checkCall, type Kinds } from '../call.js';
import { ArgumentError } from '../errors.js';
import { float, fromArray, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

const kaimingKinds: Kinds<KaimingOptions> = {
  a: 'number',
  mode: ['fanIn', 'fanOut'],
  nonlinearity: ['linear', 'relu', 'leakyRelu', 'tanh', 'sigmoid', 'selu'],
};
const truncKinds: Kinds<TruncNormalOptions> = { mean: 'number', std: 'number', a: 'number', b: 'number' };

/** Numbers of inputs and outputs of one unit, for weights [out, in, ...kernel]. */
export function calculateFanInAndFanOut(tensor: Tensor): { fanIn: number; fanOut: number } {
  checkCall('calculateFanInAndFanOut', ['tensor: tensor'], undefined, arguments);
  const [out, input, ...kernel] = tensor.shape;
  if (out === undefined || input === undefined)
    throw new ArgumentError('Fan in and fan out need a tensor of at least two dimensions.');
  const field = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: input * field, fanOut: out * field };
}

/** The nonlinearity after a layer, for {@link calculateGain}. */
export type Nonlinearity = 'linear' | 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid' | 'selu';

/** The recommended gain of a nonlinearity; `a` is leaky ReLU's slope. */
export function calculateGain(nonlinearity: Nonlinearity, a = 0.01): number {
  checkCall('calculateGain', ['nonlinearity', 'a?: number'], undefined, arguments);
  switch (nonlinearity) {
    case 'relu':
      return Math.sqrt(2);
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + a ** 2));
    case 'tanh':
      return 5 / 3;
    case 'selu':
      return 3 / 4;
    default:
      return 1;
  }
}

/** Fills with samples of the uniform distribution on [from, to). */
export function uniform_(tensor: Tensor, from = 0, to = 1): Tensor {
  checkCall('uniform_', ['tensor: tensor', 'from?: number', 'to?: number'], undefined, arguments);
  return noGrad(() => tensor.uniform_(from, to));
}
/** Fills with samples of a normal distribution. */
export function normal_(tensor: Tensor, mean = 0, std = 1): Tensor {
  checkCall('normal_', ['tensor: tensor', 'mean?: number', 'std?: number'], undefined, arguments);
  return noGrad(() => tensor.normal_(mean, std));
}
/** Fills with `value`. */
export function constant_(tensor: Tensor, value: number): Tensor {
  checkCall('constant_', ['tensor: tensor', 'value: number'], undefined, arguments);
  return noGrad(() => tensor.fill_(float(value)));
}
/** Fills with ones. */
export function ones_(tensor: Tensor): Tensor {
  checkCall('ones_', ['tensor: tensor'], undefined, arguments);
  return constant_(tensor, 1);
}
/** Fills with zeros. */
export function zeros_(tensor: Tensor): Tensor {
  checkCall('zeros_', ['tensor: tensor'], undefined, arguments);
  return constant_(tensor, 0);
}

/** Options of {@link kaimingUniform_} and {@link kaimingNormal_}. */
export interface KaimingOptions {
  /** Slope of leaky ReLU. Default 0. */
  a?: number;
  /** Default `fanIn`. */
  mode?: 'fanIn' | 'fanOut';
  /** Default `leakyRelu`. */
  nonlinearity?: Nonlinearity;
}

function kaimingStd(tensor: Tensor, { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' }: KaimingOptions): number {
  return calculateGain(nonlinearity, a) / Math.sqrt(calculateFanInAndFanOut(tensor)[mode]);
}

/** He initialization from a uniform distribution. */
export function kaimingUniform_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  checkCall('kaimingUniform_', ['tensor: tensor'], kaimingKinds, arguments);
  const bound = Math.sqrt(3) * kaimingStd(tensor, options);
  return uniform_(tensor, -bound, bound);
}

/** He initialization from a normal distribution. */
export function kaimingNormal_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  checkCall('kaimingNormal_', ['tensor: tensor'], kaimingKinds, arguments);
  return normal_(tensor, 0, kaimingStd(tensor, options));
}

/** PyTorch's default for linear and convolution layers: both uniform in +-1/sqrt(fan in). */
export function resetWeightAndBias(weight: Tensor, bias: Tensor | null): void {
  checkCall('resetWeightAndBias', ['weight: tensor', 'bias?: tensor'], undefined, arguments);
  kaimingUniform_(weight, { a: Math.sqrt(5) });
  const { fanIn } = calculateFanInAndFanOut(weight);
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  if (bias) uniform_(bias, -bound, bound);
}

/** Glorot initialization from a uniform distribution. */
export function xavierUniform_(tensor: Tensor, gain = 1): Tensor {
  checkCall('xavierUniform_', ['tensor: tensor', 'gain?: number'], undefined, arguments);
  const { fanIn, fanOut } = calculateFanInAndFanOut(tensor);
  const bound = Math.sqrt(3) * (gain * Math.sqrt(2 / (fanIn + fanOut)));
  return uniform_(tensor, -bound, bound);
}

/** Glorot initialization from a normal distribution. */
export function xavierNormal_(tensor: Tensor, gain = 1): Tensor {
  checkCall('xavierNormal_', ['tensor: tensor', 'gain?: number'], undefined, arguments);
  const { fanIn, fanOut } = calculateFanInAndFanOut(tensor);
  return normal_(tensor, 0, gain * Math.sqrt(2 / (fanIn + fanOut)));
}

/** Options of {@link truncNormal_}. */
export interface TruncNormalOptions {
  /** Default 0. */
  mean?: number;
  /** Default 1. */
  std?: number;
  /** Absolute bounds. Default -2. */
  a?: number;
  /** Default 2. */
  b?: number;
}

/** Fills from a normal distribution truncated to [a, b], by inverting its cumulative distribution function. */
export function truncNormal_(tensor: Tensor, options: TruncNormalOptions = {}): Tensor {
  checkCall('truncNormal_', ['tensor: tensor'], truncKinds, arguments);
  const { mean = 0, std = 1, a = -2, b = 2 } = options;
  if (!(a < b)) throw new ArgumentError(`The bounds of truncNormal_ must rise: ${a}, ${b}.`);
  return noGrad(() =>
    scope(() => {
      const bounds = torch.specialNdtr(fromArray(Float64Array.of((a - mean) / std, (b - mean) / std)));
      const [low, high] = bounds.tolist() as [number, number];
      // In float64 and between 2l - 1 and 2u - 1, the arguments of the inverse error function.
      const drawn = torch.empty(tensor.shape, { dtype: 'float64', device: tensor.device });
      drawn
        .uniform_(2 * low - 1, 2 * high - 1)
        .erfinv_()
        .mul_(std * Math.SQRT2)
        .add_(mean);
      return tensor.copy_(drawn.clamp_({ min: a, max: b }));
    }),
  );
}

/** Fills with orthogonal rows (or columns, if there are fewer) of length `gain`. */
export function orthogonal_(tensor: Tensor, gain = 1): Tensor {
  checkCall('orthogonal_', ['tensor: tensor', 'gain?: number'], undefined, arguments);
  const [rows, ...rest] = tensor.shape;
  if (rows === undefined || rest.length === 0) throw new ArgumentError('orthogonal_ needs at least two dimensions.');
  const columns = rest.reduce((product, size) => product * size, 1);
  return noGrad(() =>
    scope(() => {
      const drawn = torch.empty([rows, columns], { dtype: tensor.dtype, device: tensor.device }).normal_();
      const [q, r] = torch.linalgQr(rows < columns ? drawn.t() : drawn);
      // The signs of R's diagonal make the result uniform over all orthogonal matrices.
      const uniform = q.mul(r.diagonal().sign());
      return tensor.copy_((rows < columns ? uniform.t() : uniform).reshape(tensor.shape).mul(gain));
    }),
  );
}

/** Fills a 2-dimensional tensor with the identity matrix. */
export function eye_(tensor: Tensor): Tensor {
  checkCall('eye_', ['tensor: tensor'], undefined, arguments);
  const [rows, columns, ...rest] = tensor.shape;
  if (rows === undefined || columns === undefined || rest.length > 0)
    throw new ArgumentError('eye_ needs two dimensions.');
  return noGrad(() => scope(() => tensor.copy_(torch.eye(rows, columns))));
}

/** Fills convolution weights so that as many channels as possible pass through unchanged, group by group. */
export function dirac_(tensor: Tensor, groups = 1): Tensor {
  checkCall('dirac_', ['tensor: tensor', 'groups?: number'], undefined, arguments);
  const [out, input, ...kernel] = tensor.shape;
  if (out === undefined || input === undefined || kernel.length === 0 || out % groups !== 0)
    throw new ArgumentError('dirac_ needs weights of 3 to 5 dimensions, the first a multiple of groups.');
  const center = kernel.map((size) => Math.floor(size / 2));
  return noGrad(() =>
    scope(() => {
      tensor.zero_();
      const perGroup = out / groups;
      for (let group = 0; group < groups; group++)
        for (let i = 0; i < Math.min(perGroup, input); i++) {
          const index = [group * perGroup + i, i, ...center];
          index.reduce((part: Tensor, position) => part.select(0, position), tensor).fill_(float(1));
        }
      return tensor;
    }),
  );
}

/** Fills a matrix with a share `sparsity` of zeros per column, the rest normal with deviation `std`. Default 0.01. */
export function sparse_(tensor: Tensor, sparsity: number, std = 0.01): Tensor {
  checkCall('sparse_', ['tensor: tensor', 'sparsity?: number', 'std?: number'], undefined, arguments);
  const [rows, columns, ...rest] = tensor.shape;
  if (rows === undefined || columns === undefined || rest.length > 0)
    throw new ArgumentError('sparse_ needs two dimensions.');
  const zeros = Math.ceil(sparsity * rows);
  return noGrad(() =>
    scope(() => {
      tensor.normal_(0, std);
      for (let column = 0; column < columns; column++)
        tensor.select(1, column).indexFill_(0, torch.randperm(rows).slice(0, 0, zeros), 0);
      return tensor;
    }),
  );
}
