/** Writes pickles, protocol 2, as torch.load(weights_only=True) reads them. */
import { FileError } from '../../errors.js';
import { Complex, Float, Tensor } from '../../tensor/index.js';
import { deepest } from './values.js';

/** The layout of a tensor in its storage, as {@link PickleWriter} writes it. */
export interface TensorPlace {
  /** `FloatStorage`, ...; undefined if the storage is shared under several dtypes, or its dtype has no class. */
  storageClass: string | undefined;
  dtype: string;
  key: string;
  /** In elements; in bytes if there is no class. */
  storageSize: number;
  offset: number;
  shape: readonly number[];
  strides: readonly number[];
  requiresGrad: boolean;
}

/** An array that becomes a tuple in Python; other arrays become lists. */
export class Tuple extends Array<unknown> {}

export class PickleWriter {
  readonly #parts: Buffer[] = [];
  readonly #memo = new Map<object, number>();

  constructor(private readonly placeOf: (tensor: Tensor) => TensorPlace) {}

  /** Returns the whole pickle of a value. */
  pickle(value: unknown): Buffer {
    this.#code(0x80, 2);
    this.#value(value, 0);
    this.#code('.');
    return Buffer.concat(this.#parts);
  }

  #value(value: unknown, depth: number): void {
    if (value === null) this.#code('N');
    else if (typeof value === 'boolean') this.#code(value ? 0x88 : 0x89);
    else if (typeof value === 'string') this.#text(value);
    else if (typeof value === 'bigint') this.#integer(value);
    else if (typeof value === 'number') this.#number(value);
    else if (value instanceof Float) this.#float(value.value);
    else if (typeof value === 'object') this.#object(value, depth);
    else throw new FileError(`a ${typeof value} cannot be saved.`);
  }

  #object(value: object, depth: number): void {
    const known = this.#memo.get(value);
    if (known !== undefined) {
      this.#indexed('h', 'j', known);
      return;
    }
    if (depth > deepest) throw new FileError(`containers nest deeper than ${deepest}.`);
    if (value instanceof Tensor) this.#tensor(value);
    else if (value instanceof Complex) this.#call('__builtin__', 'complex', () => this.#floats(value.re, value.im));
    else if (value instanceof Uint8Array) this.#bytes(value);
    else if (value instanceof Tuple) this.#items(value, depth);
    else if (Array.isArray(value)) this.#list(value, depth);
    else if (value instanceof Set) this.#call('__builtin__', 'set', () => this.#list([...value], depth));
    else if (value instanceof Map) this.#dict(value, [...value], depth);
    else if (isPlain(value)) this.#dict(value, Object.entries(value), depth);
    else throw new FileError(`a ${value.constructor?.name ?? 'class instance'} cannot be saved; save its data.`);
    this.#remember(value);
  }

  #list(items: unknown[], depth: number): void {
    this.#code(']');
    this.#remember(items);
    this.#code('(');
    for (const item of items) this.#value(item, depth + 1);
    this.#code('e');
  }

  #items(items: Tuple, depth: number): void {
    this.#code('(');
    for (const item of items) this.#value(item, depth + 1);
    this.#code('t');
  }

  #dict(dict: object, entries: [unknown, unknown][], depth: number): void {
    this.#code('}');
    this.#remember(dict);
    this.#code('(');
    for (const [key, item] of entries) {
      if (typeof key === 'object' && key !== null && !(key instanceof Float))
        throw new FileError('the key of a dict is an object, which Python cannot hash.');
      this.#value(key, depth + 1);
      this.#value(item, depth + 1);
    }
    this.#code('u');
  }

  #tensor(tensor: Tensor): void {
    const place = this.placeOf(tensor);
    this.#call('torch._utils', place.storageClass ? '_rebuild_tensor_v2' : '_rebuild_tensor_v3', () => {
      this.#code('(');
      this.#storage(place);
      this.#number(place.offset);
      this.#tuple(place.shape);
      this.#tuple(place.strides);
      this.#value(place.requiresGrad, 0);
      this.#call('collections', 'OrderedDict', () => {});
      if (!place.storageClass) this.#global('torch', place.dtype);
      this.#code('t');
    });
  }

  #storage({ storageClass, key, storageSize }: TensorPlace): void {
    this.#code('(');
    this.#text('storage');
    if (storageClass) this.#global('torch', storageClass);
    else this.#global('torch.storage', 'UntypedStorage');
    this.#text(key);
    this.#text('cpu');
    this.#number(storageSize);
    this.#code('t', 'Q');
  }

  /** Writes a call with the tuple that `args` writes; wraps the single list of a set in a tuple. */
  #call(module: string, name: string, args: () => void): void {
    this.#global(module, name);
    const before = this.#parts.length;
    args();
    if (this.#parts.length === before) this.#code(')');
    else if (name === 'set') this.#code(0x85);
    this.#code('R');
  }

  #global(module: string, name: string): void {
    this.#parts.push(Buffer.from(`c${module}\n${name}\n`));
  }

  #tuple(sizes: readonly number[]): void {
    this.#code('(');
    for (const size of sizes) this.#number(size);
    this.#code('t');
  }

  /** Protocol 2 has no bytes type: bytes are written as a text with one character per byte. */
  #bytes(bytes: Uint8Array): void {
    this.#call('_codecs', 'encode', () => {
      this.#text(Buffer.from(bytes).toString('latin1'));
      this.#text('latin1');
      this.#code(0x86);
    });
  }

  #text(text: string): void {
    const bytes = Buffer.from(text);
    if (bytes.toString() !== text) throw new FileError('a text holds half of a surrogate pair and cannot be saved.');
    const head = Buffer.alloc(5, 'X');
    head.writeUInt32LE(bytes.length, 1);
    this.#parts.push(head, bytes);
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) this.#float(value);
    else if (value === (value | 0)) {
      const bytes = Buffer.alloc(5, 'J');
      bytes.writeInt32LE(value, 1);
      this.#parts.push(bytes);
    } else this.#integer(BigInt(value));
  }

  #float(value: number): void {
    const bytes = Buffer.alloc(9, 'G');
    bytes.writeDoubleBE(value, 1);
    this.#parts.push(bytes);
  }

  #floats(...values: [number, number]): void {
    for (const value of values) this.#float(value);
    this.#code(0x86);
  }

  #integer(value: bigint): void {
    const magnitude = value < 0n ? -value : value;
    const length = Math.ceil((magnitude.toString(2).length + 1) / 8);
    if (length > 255) throw new FileError('an integer has more than 255 bytes.');
    const digits = BigInt.asUintN(8 * length, value).toString(16);
    this.#code(0x8a, length);
    this.#parts.push(Buffer.from(digits.padStart(2 * length, '0'), 'hex').reverse());
  }

  #remember(value: object): void {
    if (this.#memo.has(value)) return;
    const index = this.#memo.size;
    this.#memo.set(value, index);
    this.#indexed('q', 'r', index);
  }

  #indexed(short: string, long: string, index: number): void {
    if (index < 256) {
      this.#code(short, index);
      return;
    }
    const bytes = Buffer.alloc(5, long);
    bytes.writeUInt32LE(index, 1);
    this.#parts.push(bytes);
  }

  #code(...codes: (number | string)[]): void {
    this.#parts.push(Buffer.from(codes.map((code) => (typeof code === 'string' ? code.charCodeAt(0) : code))));
  }
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
