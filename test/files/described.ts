/** Values in the form in which test/fixtures/make/files.py writes them down. */
import { native } from '../../src/native.js';
import { Tensor } from '../../src/torch.js';

export function described(value: unknown): unknown {
  if (value instanceof Tensor) return describedTensor(value);
  if (typeof value === 'number') return { number: hexOf(value) };
  if (typeof value === 'bigint') return { big: String(value) };
  if (value instanceof Uint8Array) return { raw: Buffer.from(value).toString('hex') };
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [described(key), described(item)]) };
  if (value instanceof Set) return { set: [...value].map(described) };
  if (Array.isArray(value)) return value.map(described);
  if (typeof value !== 'object' || value === null) return value;
  const { re, im } = value as { re?: number; im?: number };
  if (typeof re === 'number' && typeof im === 'number') return { complex: [re, im] };
  return { dict: Object.entries(value).map(([key, item]) => [key, described(item)]) };
}

export function describedTensor(tensor: Tensor): object {
  const array = tensor.toTypedArray();
  const bytes = Buffer.from(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength).toString('hex');
  return { tensor: tensor.dtype, shape: tensor.shape, bytes, grad: native().requiresGrad(tensor.handle) };
}

function hexOf(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}
