/** Converts between tensors and the bytes of a file. */
import { FileError } from '../errors.js';
import { arrayFor, arrayWidth, type DType } from '../tensor/dtype.js';
import { fromArray, type Tensor } from '../tensor/index.js';

/** Whether a value from a file can be a size or an offset. */
export const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Returns the bytes of one element. */
export function itemSize(dtype: DType): number {
  return new (arrayFor(dtype))(0).BYTES_PER_ELEMENT * arrayWidth(dtype);
}

/** Returns the bytes of a whole tensor. Throws FileError if that is not a safe integer. */
export function byteLength(dtype: DType, shape: readonly number[]): number {
  const bytes = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, itemSize(dtype));
  if (!Number.isSafeInteger(bytes)) throw new FileError(`the shape [${shape.join(', ')}] is too large.`);
  return bytes;
}

/** Creates a tensor whose bytes `fill` writes in place. */
export function filledTensor(dtype: DType, shape: readonly number[], fill: (bytes: Uint8Array) => void): Tensor {
  const array = new (arrayFor(dtype))(byteLength(dtype, shape) / (itemSize(dtype) / arrayWidth(dtype)));
  fill(new Uint8Array(array.buffer));
  return fromArray(array, shape, { dtype });
}

/** Returns the elements' bytes in row-major order. */
export function bytesOf(tensor: Tensor): Uint8Array {
  const array = tensor.toTypedArray();
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Reverses the byte order of every element of `width` bytes, in place. */
export function swapBytes(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 2) buffer.swap16();
  else if (width === 4) buffer.swap32();
  else if (width === 8) buffer.swap64();
}

/** Returns the bytes to reverse as a unit: for complex numbers, real and imaginary part separately. */
export function swapWidth(dtype: DType): number {
  return dtype.startsWith('complex') ? itemSize(dtype) / 2 : itemSize(dtype);
}
