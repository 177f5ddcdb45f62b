import { inspect } from 'node:util';
import { copyKey } from '../argument-kinds.js';
import { checkCall } from '../call.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type Handle, native, packageRoot } from '../native.js';
import type { Bytes } from '../native-types.js';
import { primitiveOf, uncloneable } from './conversion.js';
import {
  arrayFor,
  arrayWidth,
  type DType,
  dtypeName,
  elementSize,
  type Layout,
  layoutName,
  type MemoryFormat,
  memoryFormatCode,
} from './dtype.js';
import type { TensorExtras } from './extras.js';
import { format } from './format.js';
import { hostTraffic } from './host-traffic.js';
import { nested, valueAt } from './nested.js';
import type { TensorMethods } from './ops.generated.js';
import { owned } from './ownership.js';
import type { TensorShorthands } from './shorthands.js';
import type { NestedValues, ScalarValue } from './types.js';

const backwardKinds = { retainGraph: 'boolean', createGraph: 'boolean', inputs: 'any' } as const;
const contiguousKinds = { memoryFormat: 'string' } as const;

/**
 * A libtorch tensor. All operators of `aten` whose first argument is `self` are methods, under PyTorch's names in
 * camelCase (see {@link TensorMethods}); the rest of PyTorch's Tensor is here. A tensor made inside a {@link scope}
 * is freed at its end; any other lives until `dispose()`, or until it is garbage collected and the event loop turns.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: methods.ts installs the generated methods on the prototype.
export class Tensor {
  /** @internal */
  readonly handle: Handle;
  /** @internal Set by the safety net. */
  cohort: object | undefined = undefined;
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;

  /** @internal Tensors come from operators and from {@link tensor}; this takes a native handle. */
  constructor(handle: Handle) {
    this.handle = handle;
  }

  /** Sizes, outermost first. */
  get shape(): number[] {
    return native().shape(this.handle);
  }

  /** Distance in elements between neighbors along each dimension. */
  get strides(): number[] {
    return native().strides(this.handle);
  }

  get dtype(): DType {
    return dtypeName(native().dtype(this.handle));
  }

  /** `cpu`, `cuda:0`, ... */
  get device(): string {
    return native().device(this.handle);
  }

  /** The number of dimensions. */
  get ndim(): number {
    return native().dim(this.handle);
  }

  /** How the elements are stored: `strided` for dense tensors, `sparse_coo`, ... */
  get layout(): Layout {
    return layoutName(Math.max(0, native().layout(this.handle)));
  }

  /** Whether this is a nested tensor: a batch of tensors of different sizes. */
  get isNested(): boolean {
    return native().layout(this.handle) === -1;
  }

  get requiresGrad(): boolean {
    return native().requiresGrad(this.handle);
  }

  set requiresGrad(on: boolean) {
    native().setRequiresGrad(this.handle, on);
  }

  /** The accumulated gradient of a leaf, or null. */
  get grad(): Tensor | null {
    const handle = native().gradOf(this.handle);
    return handle === null ? null : owned(new Tensor(handle));
  }

  set grad(gradient: Tensor | null) {
    checkCall('The gradient of a tensor', ['gradient?: tensor'], undefined, [gradient]);
    native().setGrad(this.handle, gradient?.handle ?? null);
  }

  get isLeaf(): boolean {
    return native().isLeaf(this.handle);
  }

  /** The name of the autograd node that made this tensor, as in `AddBackward0`; null for leaves. */
  get gradFn(): string | null {
    return native().gradFn(this.handle);
  }

  /** False after dispose(), or after the end of the scope that it belonged to. */
  get isAlive(): boolean {
    return native().alive(this.handle);
  }

  /** The number of elements. */
  numel(): number {
    return native().numel(this.handle);
  }

  /** Bytes of one element. */
  elementSize(): number {
    return elementSize(this.dtype);
  }

  dim(): number {
    return native().dim(this.handle);
  }

  /** Offset in elements of the first element in the underlying storage. */
  storageOffset(): number {
    return native().storageOffset(this.handle);
  }

  isContiguous(options: { memoryFormat?: MemoryFormat } = {}): boolean {
    checkCall('isContiguous', [], contiguousKinds, arguments);
    return native().isContiguous(this.handle, memoryFormatCode(options.memoryFormat ?? 'contiguous') ?? 0);
  }

  /**
   * Computes the gradients of the leaves that this tensor was made from and adds them to their `grad`.
   * `gradient` is required if this tensor has more than one element.
   */
  backward(
    gradient?: Tensor | null,
    options: { retainGraph?: boolean; createGraph?: boolean; inputs?: Tensor[] } = {},
  ): void {
    checkCall('backward', ['gradient?: tensor'], backwardKinds, arguments);
    native().backward(
      [this.handle],
      gradient ? [gradient.handle] : undefined,
      options.retainGraph,
      options.createGraph ?? false,
      (options.inputs ?? []).map((input) => input.handle),
    );
  }

  /** Keeps the gradient of a non-leaf tensor in `grad`. */
  retainGrad(): void {
    native().retainGrad(this.handle);
  }

  requiresGrad_(on = true): this {
    this.requiresGrad = on;
    return this;
  }

  /** The value of a tensor of one element: a number, a boolean, a bigint beyond 2^53, or `[re, im]`. */
  item(): ScalarValue {
    if (this.numel() !== 1) {
      const what = this.isNested ? 'is nested' : `has shape [${this.shape.join(', ')}]`;
      throw new ShapeError(`item() needs one element, the tensor ${what}.`);
    }
    const readable = (this.layout === 'strided' ? this : this.toDense()).readable();
    return valueAt(readable.toTypedArray(), 0, readable.dtype);
  }

  /** A copy of the elements in row-major order; 16-bit floats and bool as the bits of unsigned integers. */
  toTypedArray(): Bytes {
    const { dtype } = this;
    const array = new (arrayFor(dtype))(this.numel() * arrayWidth(dtype));
    hostTraffic.count++;
    native().toBytes(this.handle, array);
    return array;
  }

  /**
   * A view of the tensor's memory, not a copy: writes to one show in the other. Only for contiguous tensors on the CPU.
   * The memory can no longer be resized, as after `numpy()` in PyTorch; the array stays valid even after the tensor is
   * freed.
   */
  viewTypedArray(): Bytes {
    const Type = arrayFor(this.dtype) as unknown as new (buffer: ArrayBuffer) => Bytes;
    const bytes = native().viewBytes(this.handle);
    // A buffer over no memory counts as detached.
    return new Type(this.numel() === 0 ? new ArrayBuffer(0) : bytes);
  }

  /** The elements as nested arrays; integers beyond 2^53 are bigints. */
  tolist(): NestedValues {
    const readable = this.readable();
    return nested(readable.toTypedArray(), this.shape, readable.dtype);
  }

  /** The tensor in a dtype that JavaScript can read. */
  private readable(): Tensor {
    const { dtype } = this;
    if (dtype === 'complex32') return this.to('complex64');
    const small = dtype === 'float16' || dtype === 'bfloat16' || dtype.startsWith('float8');
    return small ? this.to('float32') : this;
  }

  /** Frees the memory now. Any later use is an error. */
  dispose(): void {
    native().release(this.handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * Converts for JavaScript's operators, as in `a < b`, `+a` or `a * 2`: to the value of a one-element tensor, or in a
   * string to the printed form. Throws ArgumentError for a tensor of several elements, for which operators are
   * meaningless: use `lt()`, `mul()`, `equal()`.
   */
  [Symbol.toPrimitive](hint: 'default' | 'number' | 'string'): string | number | bigint | boolean {
    return hint === 'string' ? this.toString() : primitiveOf(this);
  }

  /** The value of a live one-element tensor; otherwise the tensor itself. */
  valueOf(): ScalarValue | this {
    return this.isAlive && this.numel() === 1 ? this.item() : this;
  }

  /** The tensor as PyTorch prints it. */
  toString(): string {
    return this.isAlive ? format(this) : 'tensor(disposed)';
  }

  [inspect.custom](): string {
    return this.toString();
  }

  toJSON(): never {
    throw new ArgumentError('A Tensor has no JSON form; use tolist() or toTypedArray().');
  }
}

export interface Tensor extends TensorExtras, TensorMethods, TensorShorthands {}

Object.defineProperty(Tensor.prototype, copyKey, { value: packageRoot });
