/** Sequences of different lengths, as torch.nn.utils.rnn. */
import { checkCall, type Kinds } from '../../call.js';
import { ArgumentError } from '../../errors.js';
import { type Tensor, functions as torch } from '../../tensor/index.js';
import { type PackedSequence, packPaddedSequence, padPackedSequence } from '../packed-sequence.js';

export {
  invertPermutation,
  PackedSequence,
  type PackOptions,
  packPaddedSequence,
  padPackedSequence,
  type UnpackOptions,
} from '../packed-sequence.js';

/** Options of {@link padSequence}. */
export interface PadOptions {
  /** The result is [N, L, ...] instead of [L, N, ...]. Default false. */
  batchFirst?: boolean;
  /** Default 0. */
  paddingValue?: number;
  /** Default `right`. */
  paddingSide?: 'left' | 'right';
}

const padKinds: Kinds<PadOptions> = {
  batchFirst: 'boolean',
  paddingValue: 'number',
  paddingSide: ['right', 'left'],
};

/** Sequences [length, ...] as one tensor [L, N, ...], filled up to the longest length. */
export function padSequence(sequences: readonly Tensor[], options: PadOptions = {}): Tensor {
  checkCall('padSequence', ['sequences: list'], padKinds, arguments);
  if (sequences.length === 0) throw new ArgumentError('padSequence received no sequences.');
  const { batchFirst = false, paddingValue = 0, paddingSide = 'right' } = options;
  return torch.padSequence(sequences, batchFirst, paddingValue, paddingSide);
}

/** The sequences of a padded tensor, each with its length. */
export function unpadSequence(
  padded: Tensor,
  lengths: Tensor,
  options: { /** Default false. */ batchFirst?: boolean } = {},
): Tensor[] {
  checkCall('unpadSequence', ['padded: tensor', 'lengths: tensor'], { batchFirst: 'boolean' }, arguments);
  const rows = options.batchFirst ? padded : padded.transpose(0, 1);
  return rows.unbind().map((row, i) => row.narrow(0, 0, Number(lengths.select(0, i).item())));
}

/** Packs sequences [length, ...], which must be sorted by falling length unless `enforceSorted` is false. */
export function packSequence(
  sequences: readonly Tensor[],
  options: { /** Default true. */ enforceSorted?: boolean } = {},
): PackedSequence {
  checkCall('packSequence', ['sequences: list'], { enforceSorted: 'boolean' }, arguments);
  const lengths = sequences.map(({ shape: [length = 0] }) => length);
  return packPaddedSequence(padSequence(sequences), lengths, options);
}

/** The sequences of a packed one. */
export function unpackSequence(sequence: PackedSequence): Tensor[] {
  checkCall('unpackSequence', ['sequence: object'], undefined, arguments);
  const [padded, lengths] = padPackedSequence(sequence);
  return unpadSequence(padded, lengths);
}
