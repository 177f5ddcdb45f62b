/** Methods and properties of PyTorch's Tensor that are short for something else. */
import { checkCall } from '../call.js';
import { type TensorOptions, tensor } from './create.js';
import type { DType } from './dtype.js';
import { functions as torch } from './methods.js';
import { Tensor } from './tensor.js';
import type { Scalar, TensorData } from './types.js';
import type { UniqueConsecutiveOptions, UniqueMethod, UniqueOptions } from './unique.js';

/** What {@link Tensor} has next to the operators, under PyTorch's names. */
export interface TensorShorthands {
  /** The tensor with its dimensions in reverse order; for a matrix, the transpose. */
  readonly T: Tensor;
  /** The conjugate transpose of a matrix. */
  readonly H: Tensor;
  /** The tensor with its last two dimensions exchanged. */
  readonly mT: Tensor;
  /** The conjugate with its last two dimensions exchanged. */
  readonly mH: Tensor;
  readonly isCpu: boolean;
  readonly isCuda: boolean;
  /** Whether the tensor has a shape but no elements. */
  readonly isMeta: boolean;
  readonly isQuantized: boolean;
  /** Whether the layout is `sparse_coo`. */
  readonly isSparse: boolean;
  readonly isSparseCsr: boolean;
  /** Bytes of one element. */
  readonly itemsize: number;
  /** Bytes of all elements. */
  readonly nbytes: number;
  /** int8 */
  char(): Tensor;
  /** uint8 */
  byte(): Tensor;
  /** int16 */
  short(): Tensor;
  /** complex64 */
  cfloat(): Tensor;
  /** complex128 */
  cdouble(): Tensor;
  /** The number of elements. */
  nelement(): number;
  /** The number of dimensions. */
  ndimension(): number;
  /** A new tensor with a copy of `data`, in this tensor's dtype and on its device unless the options say otherwise. */
  newTensor(data: TensorData, options?: TensorOptions): Tensor;
  /** The derivative of order `n` of the digamma function. */
  polygamma(n: number): Tensor;
  /** This tensor's elements where `condition` is true, those of `other` elsewhere. */
  where(condition: Tensor, other: Tensor | Scalar): Tensor;
  /** The unique values, as `torch.unique(x, options)`. */
  unique: UniqueMethod<UniqueOptions>;
  /** The tensor without repetitions of the element before, as `torch.uniqueConsecutive(x, options)`. */
  uniqueConsecutive: UniqueMethod<UniqueConsecutiveOptions>;
}

type Properties = {
  [Name in keyof TensorShorthands as TensorShorthands[Name] extends (...args: never[]) => unknown ? never : Name]: 1;
};

const properties: { [Name in keyof Properties]: (x: Tensor) => TensorShorthands[Name] } = {
  T: torch.numpyT,
  H: torch.matrixH,
  mT: torch.mT,
  mH: torch.mH,
  isCpu: ({ device }) => device === 'cpu',
  isCuda: ({ device }) => device.startsWith('cuda'),
  isMeta: ({ device }) => device.startsWith('meta'),
  isQuantized: ({ dtype }) => dtype.startsWith('q'),
  isSparse: ({ layout }) => layout === 'sparse_coo',
  isSparseCsr: ({ layout }) => layout === 'sparse_csr',
  itemsize: (x) => x.elementSize(),
  nbytes: (x) => x.elementSize() * x.numel(),
};

for (const [name, of] of Object.entries(properties)) {
  Object.defineProperty(Tensor.prototype, name, {
    configurable: true,
    get(this: Tensor) {
      return of(this);
    },
  });
}

const converting = (name: string, dtype: DType) =>
  function convert(this: Tensor): Tensor {
    checkCall(name, [], undefined, arguments);
    return this.to(dtype);
  };

const methods: Omit<TensorShorthands, keyof Properties | 'unique' | 'uniqueConsecutive'> & ThisType<Tensor> = {
  char: converting('char', 'int8'),
  byte: converting('byte', 'uint8'),
  short: converting('short', 'int16'),
  cfloat: converting('cfloat', 'complex64'),
  cdouble: converting('cdouble', 'complex128'),
  nelement() {
    return this.numel();
  },
  ndimension() {
    return this.ndim;
  },
  newTensor(data, options = {}) {
    const kinds = { dtype: 'string', device: 'string', requiresGrad: 'boolean' } as const;
    checkCall('newTensor', ['data'], kinds, arguments);
    return tensor(data, { dtype: this.dtype, device: this.device, ...options });
  },
  polygamma(n) {
    checkCall('polygamma', ['n: number'], undefined, arguments);
    return torch.polygamma(n, this);
  },
  where(condition, other) {
    checkCall('where', ['condition: tensor', 'other'], undefined, arguments);
    return other instanceof Tensor ? torch.where(condition, this, other) : torch.where(condition, this, other);
  },
};

for (const [name, value] of Object.entries(methods))
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
