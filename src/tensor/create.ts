import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { native } from '../native.js';
import type { Bytes } from '../native-types.js';
import { arrayFor, arrayWidth, type DType, dtypeCode, dtypeOfArray } from './dtype.js';
import { hostTraffic } from './host-traffic.js';
import { flatten, inferDType, shapeOf } from './nested.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';
import { Complex, Float, type TensorData } from './types.js';

const tensorKinds: Kinds<TensorOptions> = { dtype: 'string', device: 'string', requiresGrad: 'boolean' };
const arrayKinds: Kinds<FromArrayOptions> = { ...tensorKinds, share: 'boolean' };

/** Dtype, device and autograd flag of a new tensor. */
export interface TensorOptions {
  /**
   * Default: the typed array's dtype; for nested arrays bool, int64 (if all numbers are whole and fit) or float32.
   */
  dtype?: DType;
  /** Default `cpu`. */
  device?: string;
  requiresGrad?: boolean;
}

/**
 * A new tensor with a copy of `data`: a number, nested arrays, a typed array (one dimension; see {@link fromArray} for
 * a shape), or a tensor. Whole numbers make int64, because JavaScript cannot tell 1.0 from 1: say `{ dtype: 'float32'
 * }` for floats. Throws ShapeError if nested arrays are ragged, ArgumentError if an integer type cannot hold a
 * value.
 */
export function tensor(data: TensorData, options: TensorOptions = {}): Tensor {
  checkCall('tensor', ['data'], tensorKinds, arguments);
  return finish(fromData(data, options), options);
}

function fromData(data: TensorData, options: TensorOptions): Tensor {
  if (data instanceof Tensor) return data.detach().clone();
  if (ArrayBuffer.isView(data)) return fromArray(data as Bytes, [(data as Bytes).length]);
  if (data instanceof Float)
    return fromArray(Float64Array.of(data.value), [], { dtype: 'float64' }).to(options.dtype ?? 'float32');
  if (data instanceof Complex) return fromArray(Float32Array.of(data.re, data.im), [], { dtype: 'complex64' });
  const shape = shapeOf(data);
  const wanted = options.dtype ?? inferDType(data);
  dtypeCode(wanted);
  const dtype = heldIn(wanted);
  const result = fromArray(flatten(data, shape, dtype), shape, { dtype });
  return options.dtype || dtype === wanted ? result : result.to(wanted);
}

/**
 * The dtype in which elements are handed to libtorch: float64 for all floats, so that libtorch itself rounds and checks
 * the range.
 */
const heldIn = (dtype: DType): DType => (dtype === 'bool' || /^u?int\d+$/.test(dtype) ? dtype : 'float64');

/** Options of {@link fromArray}. */
export interface FromArrayOptions extends TensorOptions {
  /**
   * Shares the array's memory instead of copying it. Only for arrays over a SharedArrayBuffer, which cannot be detached
   * while the tensor lives. Default false.
   */
  share?: boolean;
}

/** A tensor of `shape` from a typed array in row-major order. Throws ShapeError if the sizes differ. */
export function fromArray(
  array: Bytes,
  shape: readonly number[] = [array?.length],
  options: FromArrayOptions = {},
): Tensor {
  checkCall('fromArray', ['array: object', 'shape?: list'], arrayKinds, arguments);
  if (!ArrayBuffer.isView(array) || array instanceof DataView)
    throw new ArgumentError('fromArray() takes a typed array.');
  const own = dtypeOfArray(array);
  // A dtype with the same array type reinterprets the bits; any other dtype converts the values.
  const reinterpret = options.dtype && arrayFor(options.dtype).name === arrayFor(own).name;
  const dtype = reinterpret && options.dtype ? options.dtype : own;
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements * arrayWidth(dtype) !== array.length) {
    throw new ShapeError(`An array of ${array.length} elements does not fill the shape [${shape.join(', ')}].`);
  }
  const shared = array.buffer instanceof SharedArrayBuffer;
  if (options.share && !shared) {
    throw new ArgumentError(
      'Only an array over a SharedArrayBuffer can be shared: another buffer may be transferred away. Leave `share` out to copy.',
    );
  }
  hostTraffic.count++;
  const handle = native().fromBytes(array, dtypeCode(dtype), [...shape], options.share ?? false);
  return finish(owned(new Tensor(handle)), options);
}

/** Converts a tensor to the dtype, device and `requiresGrad` of the options. */
function finish(tensor: Tensor, { dtype, device, requiresGrad }: TensorOptions): Tensor {
  const placed = dtype || device ? tensor.to({ ...(dtype && { dtype }), ...(device && { device }) }) : tensor;
  return requiresGrad ? placed.requiresGrad_() : placed;
}
