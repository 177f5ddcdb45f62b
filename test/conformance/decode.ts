/** Recorded values -> what `dispatch` takes. */
import { arrayFor, type DType } from '../../src/tensor/dtype.js';
import { camelCase } from '../../src/tensor/names.js';
import { Complex, Float, fromArray, type MemoryFormat, type Tensor } from '../../src/torch.js';
import type { Encoded, EncodedNumber, EncodedTensor, RecordedCall } from './format.js';

const memoryFormats: Record<string, MemoryFormat> = {
  contiguous_format: 'contiguous',
  preserve_format: 'preserve',
  channels_last: 'channelsLast',
  channels_last_3d: 'channelsLast3d',
};

const special: Record<string, number> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity, '-0': -0 };

const floatOf = (value: EncodedNumber): number => special[value] ?? Number(value);

export function decode(encoded: Encoded): unknown {
  if (encoded === null) return null;
  if ('tensor' in encoded) return decodeTensor(encoded.tensor);
  if ('list' in encoded) return encoded.list.map(decode);
  if ('int' in encoded) return typeof encoded.int === 'string' ? BigInt(encoded.int) : encoded.int;
  if ('complex' in encoded) return new Complex(floatOf(encoded.complex[0]), floatOf(encoded.complex[1]));
  if ('float' in encoded) {
    const value = floatOf(encoded.float);
    return Number.isInteger(value) ? new Float(value) : value;
  }
  if ('memory_format' in encoded) return memoryFormats[encoded.memory_format];
  return Object.values(encoded)[0];
}

export function decodeTensor({ dtype, shape, strides, data }: EncodedTensor): Tensor {
  const bytes = Buffer.from(data, 'base64');
  const ArrayType = arrayFor(dtype as DType) as unknown as {
    new (buffer: ArrayBuffer): Float64Array;
    readonly BYTES_PER_ELEMENT: number;
  };
  // A slice of its own: Buffers lie in a shared pool at addresses that fit no wider element.
  const array = new ArrayType(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
  const width = dtype.startsWith('complex') ? 2 : 1;
  if (!strides) return fromArray(array, shape, { dtype: dtype as DType });
  return fromArray(array, [array.length / width], { dtype: dtype as DType }).asStrided(shape, strides);
}

export interface Arguments {
  args: unknown[];
  kwargs: Record<string, unknown>;
}

export function decodeArguments(call: RecordedCall): Arguments {
  return {
    args: call.args.map(decode),
    kwargs: Object.fromEntries(Object.entries(call.kwargs).map(([name, value]) => [camelCase(name), decode(value)])),
  };
}

/** The argument, or the result, that a path of the corpus names. */
export function at({ args, kwargs }: Arguments, [key, index]: readonly [number | string, number?]): unknown {
  const value = typeof key === 'number' ? args[key] : kwargs[camelCase(key)];
  return index === undefined ? value : (value as unknown[])[index];
}
