import { checkCall, type Kinds } from '../call.js';
import { ArgumentError } from '../errors.js';
import { Tensor, type TensorHolder, tensor, functions as torch } from '../tensor/index.js';

const packedArguments = ['data: tensor', 'batchSizes: tensor', 'sortedIndices?: tensor', 'unsortedIndices?: tensor'];

/** Sequences of different lengths without padding, step by step, for recurrent layers. */
export class PackedSequence implements TensorHolder {
  constructor(
    /** The elements, [sum of lengths, ...]. */
    readonly data: Tensor,
    /** How many sequences have each step, int64 on the CPU. */
    readonly batchSizes: Tensor,
    /** The order by falling length, or null where the sequences were given in it. */
    readonly sortedIndices: Tensor | null = null,
    /** The order back. */
    readonly unsortedIndices: Tensor | null = sortedIndices && invertPermutation(sortedIndices),
  ) {
    checkCall('new nn.PackedSequence', packedArguments, undefined, arguments);
  }

  *heldTensors(): Generator<Tensor> {
    for (const held of [this.data, this.batchSizes, this.sortedIndices, this.unsortedIndices]) if (held) yield held;
  }

  /** The same sequences with other elements. */
  with(data: Tensor): PackedSequence {
    return new PackedSequence(data, this.batchSizes, this.sortedIndices, this.unsortedIndices);
  }
}

/** Options of {@link packPaddedSequence}. */
export interface PackOptions {
  /** The input is [N, L, ...] instead of [L, N, ...]. Default false. */
  batchFirst?: boolean;
  /** The lengths fall already, so that nothing is sorted. Default true. */
  enforceSorted?: boolean;
}

const packKinds: Kinds<PackOptions> = { batchFirst: 'boolean', enforceSorted: 'boolean' };

/**
 * Packs padded sequences [L, N, ...] of these lengths, as torch.nn.utils.rnn.pack_padded_sequence. Throws ArgumentError
 * if lengths are not from 1 to L, or do not fall with `enforceSorted`.
 */
export function packPaddedSequence(
  input: Tensor,
  lengths: Tensor | readonly number[],
  options: PackOptions = {},
): PackedSequence {
  checkCall('packPaddedSequence', ['input: tensor', 'lengths: object'], packKinds, arguments);
  const { batchFirst = false, enforceSorted = true } = options;
  const given = lengths instanceof Tensor ? lengths.to({ dtype: 'int64', device: 'cpu' }) : wholeNumbers(lengths);
  const [steps, count] = batchFirst ? [input.shape[1], input.shape[0]] : input.shape;
  const values = given.tolist() as number[];
  if (values.length !== count || !values.every((length) => length >= 1 && length <= Number(steps)))
    throw new ArgumentError(`lengths must be ${count} numbers from 1 to ${steps}, not [${values}].`);
  if (enforceSorted) {
    if (!values.every((length, i) => i === 0 || length <= (values[i - 1] as number)))
      throw new ArgumentError('lengths must fall: sort the batch, or pass { enforceSorted: false }.');
    return new PackedSequence(...torch._packPaddedSequence(input, given, batchFirst));
  }
  const [sorted, order] = given.sort({ descending: true });
  const indices = order.to(input.device);
  const ordered = input.indexSelect(batchFirst ? 0 : 1, indices);
  return new PackedSequence(...torch._packPaddedSequence(ordered, sorted, batchFirst), indices);
}

const wholeNumbers = (values: readonly number[]): Tensor => tensor([...values], { dtype: 'int64' });

/** Options of {@link padPackedSequence}. */
export interface UnpackOptions {
  /** The result is [N, L, ...] instead of [L, N, ...]. Default false. */
  batchFirst?: boolean;
  /** Default 0. */
  paddingValue?: number;
  /** Default: the longest length. */
  totalLength?: number | null;
}

const unpackKinds: Kinds<UnpackOptions> = { batchFirst: 'boolean', paddingValue: 'number', totalLength: 'number?' };

/** Padded sequences and their lengths, as torch.nn.utils.rnn.pad_packed_sequence. */
export function padPackedSequence(sequence: PackedSequence, options: UnpackOptions = {}): [Tensor, Tensor] {
  checkCall('padPackedSequence', ['sequence: object'], unpackKinds, arguments);
  const { batchFirst = false, paddingValue = 0, totalLength } = options;
  const { data, batchSizes, unsortedIndices } = sequence;
  const steps = batchSizes.shape[0] as number;
  if (totalLength != null && totalLength < steps)
    throw new ArgumentError(`totalLength must be at least ${steps}, the longest length, not ${totalLength}.`);
  const [padded, lengths] = torch._padPackedSequence(data, batchSizes, batchFirst, paddingValue, totalLength ?? steps);
  if (!unsortedIndices) return [padded, lengths];
  return [padded.indexSelect(batchFirst ? 0 : 1, unsortedIndices), lengths.indexSelect(0, unsortedIndices.cpu())];
}

/** The permutation that undoes one, int64 [n]. */
export function invertPermutation(permutation: Tensor): Tensor {
  checkCall('invertPermutation', ['permutation: tensor'], undefined, arguments);
  return permutation.argsort();
}
