/** Methods that PyTorch's front end has beside the operators, and that are made of them. */
import { ArgumentError } from '../errors.js';
import { type DType, isDType, type MemoryFormat } from './dtype.js';
import { callOverload, type Overload, overloadOf } from './operators.js';
import { Tensor } from './tensor.js';

/** Where and how a tensor is to be stored. */
export interface ToOptions {
  dtype?: DType;
  device?: string;
  memoryFormat?: MemoryFormat;
  /** Copies even where nothing changes. */
  copy?: boolean;
  nonBlocking?: boolean;
}

export interface TensorExtras {
  /** The tensor with another dtype, device or memory format; itself where nothing changes. */
  to(target: DType | (string & {}) | Tensor | ToOptions, options?: ToOptions): Tensor;
  cpu(): Tensor;
  cuda(index?: number): Tensor;
  /** float32 */
  float(): Tensor;
  /** float64 */
  double(): Tensor;
  /** float16 */
  half(): Tensor;
  bfloat16(): Tensor;
  int(): Tensor;
  long(): Tensor;
  bool(): Tensor;
}

let conversion: Overload | undefined;

function convert(self: Tensor, options: ToOptions): Tensor {
  conversion ??= overloadOf('aten::to.dtype_layout');
  return callOverload(conversion, [self, { ...options }]) as Tensor;
}

function target(value: DType | string | Tensor | ToOptions): ToOptions {
  if (value instanceof Tensor) return { dtype: value.dtype, device: value.device };
  if (isDType(value)) return { dtype: value };
  if (typeof value === 'string') return { device: value };
  if (typeof value === 'object' && value !== null) return value;
  throw new ArgumentError(`to() takes a dtype, a device, a tensor or options, not ${String(value)}.`);
}

const extras: TensorExtras & ThisType<Tensor> = {
  to(value, options = {}) {
    return convert(this, { ...target(value), ...options });
  },
  cpu() {
    return convert(this, { device: 'cpu' });
  },
  cuda(index = 0) {
    return convert(this, { device: `cuda:${index}` });
  },
  float() {
    return convert(this, { dtype: 'float32' });
  },
  double() {
    return convert(this, { dtype: 'float64' });
  },
  half() {
    return convert(this, { dtype: 'float16' });
  },
  bfloat16() {
    return convert(this, { dtype: 'bfloat16' });
  },
  int() {
    return convert(this, { dtype: 'int32' });
  },
  long() {
    return convert(this, { dtype: 'int64' });
  },
  bool() {
    return convert(this, { dtype: 'bool' });
  },
};

for (const [name, value] of Object.entries(extras)) {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
