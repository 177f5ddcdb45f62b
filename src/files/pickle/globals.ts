/** The names that a pickle may use: those that torch.load(weights_only=True) allows and that are supported here. */
import { FileError } from '../../errors.js';
import { type DType, isDType } from '../../tensor/dtype.js';
import { Complex } from '../../tensor/index.js';
import { isSize, itemSize } from '../bytes.js';
import { Callable, Dict, PlannedTensor, StorageReference, StorageType, UnknownName } from './values.js';

type Arguments = readonly unknown[];
type Spend = (count: number) => void;

/** PyTorch's storage classes by element dtype. Newer dtypes have no class and use untyped storages. */
export const storageClasses: Partial<Record<DType, string>> = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
  bool: 'BoolStorage',
  bfloat16: 'BFloat16Storage',
  complex128: 'ComplexDoubleStorage',
  complex64: 'ComplexFloatStorage',
};
const dtypeOfStorage = new Map(Object.entries(storageClasses).map(([dtype, name]) => [name, dtype as DType]));

export function require(condition: boolean, what: string): asserts condition {
  if (!condition) throw new FileError(`${what} in its pickle is not valid.`);
}

function sizes(value: unknown, what: string): readonly number[] {
  require(Array.isArray(value) && value.length <= 64 && value.every(isSize), what);
  return value;
}

function tensor(args: Arguments, dtype: unknown, metadata: unknown): PlannedTensor {
  const [storage, offset, shape, strides, requiresGrad = false] = args;
  require(storage instanceof StorageReference && isSize(offset) && typeof requiresGrad === 'boolean', 'a tensor');
  require(typeof dtype === 'string' && isDType(dtype), 'the dtype of a tensor');
  const flags = metadata instanceof Dict ? metadata.items : new Map<unknown, unknown>();
  const plan = {
    storage,
    dtype,
    offset,
    shape: sizes(shape, 'the shape of a tensor'),
    strides: sizes(strides, 'a tensor with negative strides, or their number,'),
    requiresGrad,
    conjugated: flags.get('conj') === true,
    negated: flags.get('neg') === true,
  };
  require(plan.shape.length === plan.strides.length, 'the number of strides of a tensor');
  return new PlannedTensor(plan);
}

function parameter(args: Arguments): PlannedTensor {
  const [data, requiresGrad] = args;
  require(data instanceof PlannedTensor && typeof requiresGrad === 'boolean', 'a parameter');
  return new PlannedTensor({ ...data.plan, requiresGrad });
}

const dtypeOf = (storage: unknown): unknown => (storage instanceof StorageReference ? storage.dtype : undefined);

/** Rebuilds a tensor or parameter with attributes of its own, which are ignored. */
function withAttributes([rebuild, type, args]: Arguments, spend: Spend): unknown {
  const isPlain = type instanceof UnknownName || plainTypes.has((type as Callable)?.name);
  require(rebuild instanceof Callable && isPlain, 'a tensor subclass');
  require(rebuild.name.startsWith('torch._utils._rebuild_') && Array.isArray(args), 'a tensor subclass');
  return rebuild.call?.(args, spend);
}

function pairs(args: Arguments, spend: Spend): Dict {
  const dict = new Dict();
  const [content] = args;
  if (content instanceof Dict) {
    spend(content.items.size);
    for (const [key, value] of content.items) dict.items.set(key, value);
  } else if (content !== undefined) {
    require(Array.isArray(content), 'an OrderedDict');
    spend(content.length);
    for (const pair of content) {
      require(Array.isArray(pair) && pair.length === 2, 'an OrderedDict');
      dict.items.set(pair[0], pair[1]);
    }
  }
  return dict;
}

function elements(what: string) {
  return ([content]: Arguments, spend: Spend): unknown[] => {
    if (content === undefined) return [];
    require(Array.isArray(content), what);
    spend(content.length);
    return [...content];
  };
}

/** Converts a text to bytes, one per character. */
export function latin1Bytes(text: string): Uint8Array {
  const encoded = Buffer.from(text, 'latin1');
  require(encoded.toString('latin1') === text, 'a bytes object');
  return encoded;
}

/** Decodes bytes, which protocol 2 writes as an encoded text so that Python 2 and 3 agree. */
export function bytes([text, encoding]: Arguments, spend: Spend): Uint8Array {
  if (text === undefined) return new Uint8Array(0);
  if (text instanceof Uint8Array && encoding === undefined) {
    spend(text.length);
    return text.slice();
  }
  require(typeof text === 'string' && /^(latin-?1|iso-?8859-1)$/i.test(String(encoding)), 'a bytes object');
  spend(text.length);
  return latin1Bytes(text);
}

function device([type, index]: Arguments): string {
  require(typeof type === 'string' && (index === undefined || isSize(index)), 'a device');
  return index === undefined ? type : `${type}:${index}`;
}

function complex([re, im]: Arguments): Complex {
  require(typeof re === 'number' && typeof im === 'number', 'a complex number');
  return new Complex(re, im);
}

function layout([name]: Arguments): string {
  require(typeof name === 'string', 'a layout');
  return name.replace(/^torch\./, '');
}

const plainTypes = new Set(['torch.Tensor', 'torch.nn.parameter.Parameter']);
const sizeOf = elements('a torch.Size');
const setOf = elements('a set');

const callables: Record<string, Callable['call']> = {
  'collections.OrderedDict': pairs,
  'collections.Counter': pairs,
  'collections.defaultdict': () => new Dict(),
  'builtins.set': (args, spend) => new Set(setOf(args, spend)),
  'builtins.complex': complex,
  'builtins.bytearray': bytes,
  '_codecs.encode': bytes,
  'torch.Size': sizeOf,
  'torch.device': device,
  'torch.serialization._get_layout': layout,
  'torch._utils._rebuild_tensor': (args) => tensor(args.slice(0, 4), dtypeOf(args[0]), undefined),
  'torch._utils._rebuild_tensor_v2': (args) => tensor(args, dtypeOf(args[0]), args[6]),
  'torch._utils._rebuild_tensor_v3': (args) => tensor(args, args[6], args[7]),
  'torch._utils._rebuild_parameter': parameter,
  'torch._utils._rebuild_parameter_with_state': parameter,
  'torch._tensor._rebuild_from_type_v2': withAttributes,
  'torch.Tensor': undefined,
  'torch.nn.parameter.Parameter': undefined,
};

/** Resolves a name. Nothing is ever imported or run: names that are not in the table are rejected. */
export function globalNamed(module: string, name: string): unknown {
  const known = knownGlobal(module, name);
  if (!(known instanceof UnknownName)) return known;
  throw new FileError(
    `it asks for ${known.name}, which is not one of the names that a file of weights may use. ` +
      "Save a state dict with Python's torch.save, or read it with loadPth(file, { unknown: 'opaque' }), which runs no code either.",
  );
}

/** Like {@link globalNamed}, but names that are not in the table become an {@link UnknownName}. */
export function knownGlobal(module: string, name: string): unknown {
  const full = `${module === '__builtin__' ? 'builtins' : module}.${name}`;
  if (Object.hasOwn(callables, full)) return new Callable(full, callables[full]);
  if (module === 'torch' && isDType(name)) return name;
  if (full === 'torch.storage.UntypedStorage') return new StorageType(full, undefined);
  const dtype = dtypeOfStorage.get(name);
  if (dtype && (module === 'torch' || module === 'torch.cuda')) return new StorageType(full, dtype);
  return new UnknownName(full);
}

/** Parses the storage that a persistent id refers to. */
export function storageNamed(id: unknown): StorageReference {
  require(Array.isArray(id) && id[0] === 'storage' && id.length >= 5, 'a persistent id');
  const [, type, key, , count, view] = id as unknown[];
  require(type instanceof StorageType && isSize(count), 'a storage');
  require(typeof key === 'string' || isSize(key), 'the key of a storage');
  require(view === undefined || view === null, 'a view of a storage (written by PyTorch before 0.4)');
  const bytes = count * (type.dtype ? itemSize(type.dtype) : 1);
  require(isSize(bytes), 'the size of a storage');
  return new StorageReference(String(key), type.dtype, bytes);
}
