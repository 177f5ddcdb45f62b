/** Indexing as in Python: numbers, slices, `'...'`, null for a new dimension, and index tensors. */
import { show } from '../argument-kinds.js';
import { ArgumentError, IndexError } from '../errors.js';
import { functions as torch } from './methods.js';
import { Tensor } from './tensor.js';

/** A range of a dimension, as Python's `start:stop:step`. */
export class Slice {
  constructor(
    readonly start: number | null,
    readonly stop: number | null,
    readonly step: number,
  ) {}
}

/**
 * `slice(1, 5, 2)` is `1:5:2`, `slice(3)` is `:3`, `slice(2, null)` is `2:`, `slice()` is `:`; negative numbers count
 * from the end.
 */
export function slice(...bounds: (number | null)[]): Slice {
  const [start, stop, step] = bounds.length === 1 ? [null, bounds[0], 1] : bounds;
  return new Slice(start ?? null, stop ?? null, step ?? 1);
}

/**
 * One part of an index. A tensor holds integer positions, or is a bool or uint8 mask over as many dimensions as it has.
 */
export type Index = number | Slice | '...' | null | boolean | Tensor | readonly number[];

/** Returns the indexed elements: a view for numbers, slices and new dimensions; a copy if a tensor is among them. */
export function at(self: Tensor, indices: readonly Index[]): Tensor {
  const { view, tensors } = apply(self, indices);
  return tensors ? torch.index(view, tensors) : view;
}

/** Assigns `value`, which is broadcast, to the indexed elements. */
export function put(self: Tensor, indices: readonly Index[], value: Tensor | number | boolean): void {
  const { view, tensors } = apply(self, indices);
  const source = value instanceof Tensor ? value.to({ dtype: self.dtype, device: self.device }) : undefined;
  if (!tensors) {
    if (source) view.copy_(source);
    else view.fill_(value as number);
    return;
  }
  view.indexPut_(tensors, source ?? torch.full([], value as number, { dtype: self.dtype, device: self.device }));
}

/** Applies all index parts except tensors, and aligns the tensors with the remaining dimensions. */
function apply(self: Tensor, indices: readonly Index[]): { view: Tensor; tensors?: (Tensor | null)[] } {
  let view = self.alias();
  let dimension = 0;
  const tensors: (Tensor | null)[] = [];
  let covered = 0;
  const place = (tensor: Tensor) => {
    for (; covered < dimension; covered++) tensors.push(null);
    tensors.push(tensor);
    // A mask covers as many dimensions as it has, with one entry in the list.
    const dimensions = isMask(tensor) ? tensor.ndim : 1;
    covered += dimensions;
    dimension += dimensions;
  };
  for (const index of expandEllipsis(indices, self.ndim)) {
    if (index === null) view = view.unsqueeze(dimension++);
    else if (typeof index === 'boolean') {
      view = view.unsqueeze(dimension);
      place(torch.full([1], index, { dtype: 'bool', device: self.device }));
    } else if (typeof index === 'number') view = select(view, dimension, index);
    else if (index instanceof Slice) view = sliced(view, dimension++, index);
    else if (index instanceof Tensor) place(index.device === self.device ? index : index.to(self.device));
    else if (Array.isArray(index)) place(indexTensor(index as number[], self.device));
    else
      throw new ArgumentError(
        `An index cannot be ${show(index)}; use numbers, slice(), '...', null, arrays or tensors.`,
      );
  }
  return tensors.length > 0 ? { view, tensors } : { view };
}

const isMask = (tensor: Tensor): boolean => tensor.dtype === 'bool' || tensor.dtype === 'uint8';

function indexTensor(values: number[], device: string): Tensor {
  if (!values.every(Number.isSafeInteger))
    throw new ArgumentError('An array used as an index must hold whole numbers.');
  const result = torch.empty([values.length], { dtype: 'int64' });
  const data = result.viewTypedArray() as BigInt64Array;
  for (const [i, value] of values.entries()) data[i] = BigInt(value);
  return device === 'cpu' ? result : result.to(device);
}

function select(view: Tensor, dimension: number, index: number): Tensor {
  const size = view.shape[dimension];
  if (!Number.isInteger(index)) throw new ArgumentError(`An index must be a whole number, not ${index}.`);
  if (size === undefined || index < -size || index >= size) {
    throw new IndexError(`Index ${index} is out of range for dimension ${dimension} of size ${size ?? 0}.`);
  }
  return view.select(dimension, index);
}

function sliced(view: Tensor, dimension: number, { start, stop, step }: Slice): Tensor {
  if (!(Number.isInteger(step) && step > 0))
    throw new ArgumentError(`The step of a slice must be a whole number above 0, not ${step}; use flip() to reverse.`);
  return torch.slice(view, dimension, start, stop, step);
}

/** Replaces `'...'` by full slices. Throws IndexError for too many indices or a second `'...'`. */
function expandEllipsis(indices: readonly Index[], ndim: number): Index[] {
  const uses = indices.reduce<number>((sum, index) => sum + dimensionsOf(index), 0);
  if (uses > ndim) throw new IndexError(`Too many indices: ${uses} for a tensor of ${ndim} dimensions.`);
  const ellipses = indices.filter((index) => index === '...').length;
  if (ellipses > 1) throw new IndexError("An index can hold '...' only once.");
  const rest = Array.from({ length: ndim - uses }, () => slice());
  return indices.flatMap((index) => (index === '...' ? rest : [index]));
}

function dimensionsOf(index: Index): number {
  if (index === null || index === '...' || typeof index === 'boolean') return 0;
  return index instanceof Tensor && isMask(index) ? index.ndim : 1;
}
