/** Unique values: PyTorch's Python front end returns only what was asked for, unlike the operators. */
import { checkCall } from '../call.js';
import { functions as torch } from './methods.js';
import { Tensor } from './tensor.js';

const consecutiveKinds = { returnInverse: 'boolean', returnCounts: 'boolean', dim: 'number?' } as const;
const uniqueKinds = { sorted: 'boolean', ...consecutiveKinds } as const;

/** Options of {@link uniqueConsecutive}. */
export interface UniqueConsecutiveOptions {
  /** Also returns where each element of the input is in the result. Default false. */
  returnInverse?: boolean;
  /** Also returns how often each value occurs. Default false. */
  returnCounts?: boolean;
  /** Compares slices along this dimension instead of elements. Default null: all elements. */
  dim?: number | null;
}

/** Options of {@link unique}. */
export interface UniqueOptions extends UniqueConsecutiveOptions {
  /** Sorts the values. Default true. */
  sorted?: boolean;
}

/** What `returnInverse` and `returnCounts` add to the values. */
interface Inverse {
  readonly output: Tensor;
  readonly inverse: Tensor;
}
interface Counts {
  readonly output: Tensor;
  readonly counts: Tensor;
}

/** The values, or an array of what was asked for, whose elements have names as well. */
export interface Unique<Options> {
  (x: Tensor, options?: Options & { returnInverse?: false; returnCounts?: false }): Tensor;
  (x: Tensor, options: Options & { returnInverse: true; returnCounts?: false }): [Tensor, Tensor] & Inverse;
  (x: Tensor, options: Options & { returnInverse?: false; returnCounts: true }): [Tensor, Tensor] & Counts;
  (
    x: Tensor,
    options: Options & { returnInverse: true; returnCounts: true },
  ): [Tensor, Tensor, Tensor] & Inverse & Counts;
  (x: Tensor, options: Options): Tensor | Tensor[];
}

/** {@link Unique} as a method. */
export interface UniqueMethod<Options> {
  (options?: Options & { returnInverse?: false; returnCounts?: false }): Tensor;
  (options: Options & { returnInverse: true; returnCounts?: false }): [Tensor, Tensor] & Inverse;
  (options: Options & { returnInverse?: false; returnCounts: true }): [Tensor, Tensor] & Counts;
  (options: Options & { returnInverse: true; returnCounts: true }): [Tensor, Tensor, Tensor] & Inverse & Counts;
  (options: Options): Tensor | Tensor[];
}

function asked([output, inverse, counts]: [Tensor, Tensor, Tensor], options: UniqueConsecutiveOptions) {
  const { returnInverse = false, returnCounts = false } = options;
  const named = { output, ...(returnInverse && { inverse }), ...(returnCounts && { counts }) };
  const all = Object.values(named);
  if (all.length === 1) return output;
  for (const [name, value] of Object.entries(named)) Object.defineProperty(all, name, { value, enumerable: false });
  return all;
}

/**
 * Returns the unique values of a tensor, as torch.unique; with `returnInverse` or `returnCounts` an array of `output`,
 * `inverse` and `counts`, as far as they were asked for.
 */
export const unique = function unique(x: Tensor, options: UniqueOptions = {}) {
  checkCall('unique', ['x: tensor'], uniqueKinds, arguments);
  const { sorted = true, returnInverse = false, returnCounts = false, dim = null } = options;
  const results =
    dim === null
      ? torch._unique2(x, sorted, returnInverse, returnCounts)
      : torch.uniqueDim(x, dim, sorted, returnInverse, returnCounts);
  return asked(results, options);
} as Unique<UniqueOptions>;

/** Returns a tensor without repetitions of the element before, as torch.unique_consecutive; see {@link unique}. */
export const uniqueConsecutive = function uniqueConsecutive(x: Tensor, options: UniqueConsecutiveOptions = {}) {
  checkCall('uniqueConsecutive', ['x: tensor'], consecutiveKinds, arguments);
  const { returnInverse = false, returnCounts = false, dim = null } = options;
  return asked(torch.uniqueConsecutive(x, returnInverse, returnCounts, dim), options);
} as Unique<UniqueConsecutiveOptions>;

const methods = {
  unique(this: Tensor, ...options: [UniqueOptions?]) {
    checkCall('unique', [], uniqueKinds, options);
    return unique(this, options[0] ?? {});
  },
  uniqueConsecutive(this: Tensor, ...options: [UniqueConsecutiveOptions?]) {
    checkCall('uniqueConsecutive', [], consecutiveKinds, options);
    return uniqueConsecutive(this, options[0] ?? {});
  },
};

for (const [name, value] of Object.entries(methods))
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
