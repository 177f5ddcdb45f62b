/** Functions and names that PyTorch implements in Python, not as operators. */
import { checkCall } from '../call.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type TensorOptions, tensor } from './create.js';
import { type DType, dtypes } from './dtype.js';
import { Tensor } from './tensor.js';
import type { TensorData } from './types.js';

/** `torch.float32`, `torch.int64` and the other dtypes; each value is its name. */
export const dtypeNames: Readonly<{ [Name in DType]: Name }> = Object.freeze(
  Object.fromEntries(dtypes.map((name) => [name, name])),
) as { [Name in DType]: Name };

/** Returns the coordinates of flat positions in a tensor of this shape, one int64 tensor for each dimension. */
export function unravelIndex(indices: Tensor, shape: readonly number[]): Tensor[] {
  checkCall('unravelIndex', ['indices: tensor', 'shape: numbers'], undefined, arguments);
  if (indices.isFloatingPoint() || indices.dtype === 'bool')
    throw new ArgumentError(`unravelIndex needs integer positions, not ${indices.dtype}.`);
  const count = shape.reduce((product, size) => product * size, 1);
  if (indices.numel() > 0 && (Number(indices.min().item()) < -count || Number(indices.max().item()) >= count))
    throw new ArgumentError(`unravelIndex: a position lies outside of the ${count} elements of [${shape.join(', ')}].`);
  let rest = indices.long().remainder(count);
  return [...shape]
    .reverse()
    .map((size) => {
      const coordinate = rest.remainder(size);
      rest = rest.floorDivide(size);
      return coordinate;
    })
    .reverse();
}

/** PyTorch's other names of dtypes. `torch.float` is not among them: it marks a number as a float. */
export const dtypeAliases = {
  double: 'float64',
  half: 'float16',
  long: 'int64',
  int: 'int32',
  short: 'int16',
  cfloat: 'complex64',
  cdouble: 'complex128',
} as const;

/** PyTorch's names of memory formats and layouts. */
export const formatNames = {
  contiguousFormat: 'contiguous',
  preserveFormat: 'preserve',
  channelsLast: 'channelsLast',
  channelsLast3d: 'channelsLast3d',
  strided: 'strided',
  sparseCoo: 'sparse_coo',
  sparseCsr: 'sparse_csr',
  sparseCsc: 'sparse_csc',
  sparseBsr: 'sparse_bsr',
  sparseBsc: 'sparse_bsc',
} as const;

/** Numbers that Python's torch exports. */
export const constants = {
  pi: Math.PI,
  e: Math.E,
  inf: Number.POSITIVE_INFINITY,
  nan: Number.NaN,
  newaxis: null,
} as const;

/** Whether a value is a tensor. */
export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/**
 * A tensor of `data` without a copy where that is possible: a tensor of this dtype on this device is returned itself.
 * Throws as {@link tensor} does.
 */
export function asTensor(data: TensorData, options: Omit<TensorOptions, 'requiresGrad'> = {}): Tensor {
  checkCall('asTensor', ['data'], { dtype: 'string', device: 'string' }, arguments);
  if (!(data instanceof Tensor)) return tensor(data, options);
  const { dtype = data.dtype, device = data.device } = options;
  return dtype === data.dtype && device === data.device ? data : data.to({ dtype, device });
}

/** The shape that tensors of these shapes have together. Throws ShapeError if they do not fit. */
export function broadcastShapes(...shapes: (readonly number[])[]): number[] {
  for (const shape of shapes) checkCall('broadcastShapes', ['shape: numbers'], undefined, [shape]);
  const count = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: count }, (_, i) => {
    const sizes = shapes.map((shape) => shape.at(i - count) ?? 1).filter((size) => size !== 1);
    if (new Set(sizes).size > 1)
      throw new ShapeError(`The shapes ${shapes.map((shape) => `[${shape.join(', ')}]`).join(', ')} do not fit.`);
    return sizes[0] ?? 1;
  });
}
