/**
 * Rejects inputs without defined statistics: the variance of one value is 0 / 0. As torch.nn.functional does.
 */
import { ShapeError } from '../errors.js';

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/** Throws ShapeError if a channel of [N, C, ...] has one value. Empty inputs pass, as in PyTorch. */
export function needSeveralValues(shape: readonly number[], remedy: string): void {
  if (shape.length < 2 || product(shape) !== shape[1]) return;
  throw new ShapeError(
    `Expected more than 1 value per channel when training, got input size [${shape.join(', ')}]. ${remedy}`,
  );
}

/** Throws ShapeError if each channel of each sample of [N, C, ...] has one value. */
export function needSeveralPositions(shape: readonly number[]): void {
  if (product(shape.slice(2)) !== 1) return;
  throw new ShapeError(
    `Expected more than 1 spatial element when training, got input size [${shape.join(', ')}]. ` +
      'The statistics of one element do not exist: use larger inputs, or batch or layer normalization.',
  );
}

/**
 * Throws ShapeError if each group of channels of each sample of [N, C, ...] is one value and there is one sample.
 */
export function needSeveralInGroup(shape: readonly number[], groups: number): void {
  const [n = 0, channels = 0, ...rest] = shape;
  if (shape.length < 2 || Math.floor((n * channels) / groups) * product(rest) !== 1) return;
  throw new ShapeError(
    `Expected more than 1 value per channel when training, got input size [${shape.join(', ')}]. ` +
      `Each of the ${groups} groups has one value: use fewer groups.`,
  );
}

/** Throws ShapeError if an input has a number of dimensions that a layer does not accept. */
export function needDimensions(shape: readonly number[], allowed: readonly number[]): void {
  if (allowed.includes(shape.length)) return;
  const names = allowed.map((count) => `${count}D`).join(' or ');
  throw new ShapeError(`expected ${names} input (got ${shape.length}D input of shape [${shape.join(', ')}]).`);
}
