/** Adaptive average pooling, in forms that have deterministic gradients on every device. */
import { checkCall } from '../call.js';
import { autocast, type Tensor, functions as torch } from '../tensor/index.js';

/** One size for all dimensions, or one for each; null keeps the input's size. */
export type PoolSize = number | null | readonly (number | null)[];

/** [N, C, L] -> [N, C, size] */
export function adaptiveAvgPool1d(x: Tensor, size: PoolSize): Tensor {
  checkCall('adaptiveAvgPool1d', ['x: tensor', 'size'], undefined, arguments);
  return pool(x, size, 1);
}

/** [N, C, H, W] -> [N, C, ...size] */
export function adaptiveAvgPool2d(x: Tensor, size: PoolSize): Tensor {
  checkCall('adaptiveAvgPool2d', ['x: tensor', 'size'], undefined, arguments);
  return pool(x, size, 2);
}

/** [N, C, D, H, W] -> [N, C, ...size] */
export function adaptiveAvgPool3d(x: Tensor, size: PoolSize): Tensor {
  checkCall('adaptiveAvgPool3d', ['x: tensor', 'size'], undefined, arguments);
  return pool(x, size, 3);
}

/**
 * Avoids libtorch's own operators on GPUs, where they add gradients in no fixed order and throw under
 * torch.useDeterministicAlgorithms(true).
 */
function pool(x: Tensor, size: PoolSize, dimensions: number): Tensor {
  const own = x.shape.slice(-dimensions) as number[];
  const wanted = own.map((all, i) => (typeof size === 'object' && size !== null ? size[i] : size) ?? all);
  if (x.device === 'cpu' || wanted.some((size) => size < 1)) return byOperator(x, wanted);
  const parts = own.map((size, i) => size / (wanted[i] as number));
  if (!parts.every(Number.isInteger)) return byMatrices(x, wanted);
  if (dimensions === 1) return torch.avgPool1d(x, parts);
  return dimensions === 2 ? torch.avgPool2d(x, parts) : byBlocks(x, wanted, parts);
}

function byOperator(x: Tensor, wanted: number[]): Tensor {
  if (wanted.length === 1) return torch.adaptiveAvgPool1d(x, wanted);
  return wanted.length === 2 ? torch.adaptiveAvgPool2d(x, wanted) : torch.adaptiveAvgPool3d(x, wanted);
}

/** Pools parts of the same size, without avgPool3d, which adds gradients in no fixed order either. */
function byBlocks(x: Tensor, wanted: readonly number[], parts: readonly number[]): Tensor {
  const outer = x.shape.slice(0, -wanted.length);
  const blocks = wanted.flatMap((size, i) => [size, parts[i] as number]);
  const within = wanted.map((_, i) => outer.length + 2 * i + 1);
  return x.reshape([...outer, ...blocks]).mean(within);
}

/** Pools parts that overlap: multiplies each dimension by a 0-1 matrix and divides by the number of ones. */
function byMatrices(x: Tensor, wanted: readonly number[]): Tensor {
  return autocast(
    x.device.replace(/:.*/, ''),
    () => {
      let result = x.to('float32');
      for (const [i, size] of wanted.entries()) {
        const dim = i - wanted.length;
        const { members, counts } = partsOf(x.shape.at(dim) as number, size, x.device);
        result = result.transpose(dim, -1).matmul(members).div(counts).transpose(dim, -1);
      }
      return result.to(x.dtype);
    },
    { enabled: false },
  );
}

/** Membership of `from` elements in `to` parts, [from, to], and the number of elements of each part. On the device. */
function partsOf(from: number, to: number, device: string): { members: Tensor; counts: Tensor } {
  const part = torch.arange(to, { dtype: 'int64', device });
  const begin = part.mul(from).floorDivide(to);
  const end = part
    .add(1)
    .mul(from)
    .add(to - 1)
    .floorDivide(to);
  const element = torch.arange(from, { dtype: 'int64', device }).unsqueeze(1);
  const members = element.ge(begin).logicalAnd(element.lt(end)).to('float32');
  return { members, counts: end.sub(begin).to('float32') };
}
