/** Methods of PyTorch's Tensor that are not operators but are built from them. */
import { show } from '../argument-kinds.js';
import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { native } from '../native.js';
import { type DType, isDType, type MemoryFormat } from './dtype.js';
import { at, type Index, put } from './indexing.js';
import { callOverload, type Overload, overloadOf } from './operators.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';
import { float } from './types.js';

/** Dtype, device and memory format that {@link TensorExtras.to} converts to. */
export interface ToOptions {
  dtype?: DType;
  device?: string;
  memoryFormat?: MemoryFormat;
  /** Copies even if nothing changes. */
  copy?: boolean;
  nonBlocking?: boolean;
}

export interface TensorExtras {
  /** Returns the tensor with another dtype, device or memory format; the tensor itself if nothing changes. */
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

  /**
   * Indexes like `t[...]` in Python: `t.at(0, '...', slice(1, 5, 2), null, mask)`. Returns a view unless an index is a
   * tensor or an array.
   */
  at(...indices: Index[]): Tensor;
  /** Assigns to an index, like `t[...] = value` in Python; pass several indices as an array. */
  put(index: Index | readonly Index[], value: Tensor | number | boolean): void;
  /** The slices along the first dimension. */
  [Symbol.iterator](): Iterator<Tensor>;

  /** Calls `hook` with each gradient of this tensor; a returned tensor replaces the gradient. */
  registerHook(hook: (gradient: Tensor) => Tensor | undefined): HookHandle;
  /** Runs backward() off the event loop. The graph must not contain JavaScript functions or hooks. */
  backwardAsync(gradient?: Tensor | null, options?: { retainGraph?: boolean; createGraph?: boolean }): Promise<void>;
}

/** Removes a hook. */
export interface HookHandle {
  remove(): void;
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
  if ((value as unknown) === float)
    throw new ArgumentError('torch.float marks a number as a float: write torch.float32.');
  throw new ArgumentError(`to() takes a dtype, a device, a tensor or options, not ${show(value)}.`);
}

const extras: Omit<TensorExtras, 'at' | 'put' | 'registerHook' | 'backwardAsync' | typeof Symbol.iterator> &
  ThisType<Tensor> = {
  to(value, options = {}) {
    return convert(this, { ...target(value), ...options });
  },
  cpu() {
    return convert(this, { device: 'cpu' });
  },
  cuda(index = 0) {
    checkCall('cuda', ['index?: number'], undefined, arguments);
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

const beyond: Pick<TensorExtras, 'at' | 'put' | 'registerHook' | 'backwardAsync'> & ThisType<Tensor> = {
  at(...indices) {
    return at(this, indices);
  },
  put(index, value) {
    // An array of only numbers is one index with many positions; any other array is a list of indices.
    const many = Array.isArray(index) && !index.every((part) => typeof part === 'number');
    put(this, many ? (index as readonly Index[]) : [index as Index], value);
  },
  registerHook(hook) {
    checkCall('registerHook', ['hook: function'], undefined, arguments);
    const number = native().registerHook(this.handle, (gradient) => hook(owned(new Tensor(gradient)))?.handle);
    return { remove: () => native().removeHook(this.handle, number) };
  },
  backwardAsync(gradient, options = {}) {
    checkCall('backwardAsync', ['gradient?: tensor'], { retainGraph: 'boolean', createGraph: 'boolean' }, arguments);
    const { retainGraph, createGraph = false } = options;
    return native().backwardAsync([this.handle], gradient ? [gradient.handle] : undefined, retainGraph, createGraph);
  },
};

Object.defineProperty(Tensor.prototype, Symbol.iterator, {
  *value(this: Tensor) {
    if (this.ndim === 0) throw new ArgumentError('A tensor without dimensions cannot be iterated.');
    for (let i = 0; i < (this.shape[0] as number); i++) yield this.select(0, i);
  },
});

const all = { ...extras, ...beyond };

/** Names that the generated methods must not overwrite. */
export const handwritten: readonly string[] = [...Object.keys(all), 'mT', 'mH', 'uniqueConsecutive'];

for (const [name, value] of Object.entries(all)) {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
