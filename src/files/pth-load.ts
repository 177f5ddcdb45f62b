/** Reads files of torch.save, in the zip format and in the legacy format. */
import { checkCall } from '../call.js';
import { FileError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { fromArray, functions, scope, type Tensor } from '../tensor/index.js';
import { isSize, itemSize, swapBytes, swapWidth } from './bytes.js';
import { readingAsync } from './errors.js';
import { Input } from './input.js';
import { globalNamed, knownGlobal } from './pickle/globals.js';
import { unpickle } from './pickle/machine.js';
import { type PthValue, toPlain } from './pickle/plain.js';
import { PickleSource } from './pickle/source.js';
import { Dict, type Named, PlannedTensor, type StorageReference, type TensorPlan } from './pickle/values.js';
import { ZipReader } from './zip-reader.js';

const legacyMagic = 0x1950a86a20f9469cfc6cn;
const legacyProtocol = 1001;

/** Options of {@link loadPth}. */
export interface PthOptions {
  /** Whether classes that torch.load(weights_only=True) rejects throw or become data. Default `refuse`. */
  unknown?: 'refuse' | 'opaque';
}

/** The bytes of each storage, as a uint8 tensor. */
type Storages = Map<string, Tensor>;

/**
 * Reads a state dict or checkpoint as `torch.load(file, weights_only=True, map_location='cpu')` does: data only, no
 * code is ever run. Dicts with text keys become objects without a prototype, other dicts Maps, lists and tuples arrays,
 * integers beyond 2^53 bigints, dtypes and devices texts. Throws FileError for anything else, or if the file is
 * damaged.
 *
 * With `unknown: 'opaque'`, objects of other classes, as in training checkpoints next to the weights, become {@link
 * PthObject}s: their class by name and their state as data. No code is run then either.
 */
export async function loadPth(file: string, options: PthOptions = {}): Promise<PthValue> {
  checkCall('loadPth', ['file: text'], { unknown: ['refuse', 'opaque'] }, arguments);
  const { unknown = 'refuse' } = options;
  const named = unknown === 'opaque' ? knownGlobal : globalNamed;
  return readingAsync(file, async () => {
    const input = new Input(file);
    const storages: Storages = new Map();
    try {
      const zipped = input.size >= 4 && input.take(0, 4).toString('latin1') === 'PK\x03\x04';
      const value = zipped ? await readZip(input, storages, named) : readLegacy(input, storages, named);
      return scope(() => toPlain(value, (tensor) => makeTensor(tensor, storages), { opaque: unknown === 'opaque' }));
    } finally {
      for (const storage of storages.values()) storage.dispose();
      input.close();
    }
  });
}

async function readZip(input: Input, storages: Storages, named: Named): Promise<unknown> {
  const zip = await ZipReader.open(input);
  const [pickle, ...others] = zip.names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (!pickle || others.length > 0) throw new FileError('the archive is not one of torch.save: it has no data.pkl.');
  const folder = pickle.slice(0, -'data.pkl'.length);
  if (zip.has(`${folder}constants.pkl`))
    throw new FileError('it is a TorchScript module and no state dict; torch.jit.load() reads it.');
  const order = zip.has(`${folder}byteorder`) ? (await zip.read(`${folder}byteorder`)).toString('latin1') : 'little';
  if (order !== 'little' && order !== 'big')
    throw new FileError(`its byte order '${order.slice(0, 20)}' is not known.`);
  const references = new Map<string, StorageReference>();
  const value = unpickle(PickleSource.of(await zip.read(pickle)), named, references);
  for (const [key, reference] of references) {
    const name = `${folder}data/${key}`;
    if (zip.size(name) !== reference.bytes)
      throw new FileError(`storage '${key}' has ${zip.size(name)} bytes, and should have ${reference.bytes}.`);
    const bytes = await zip.read(name);
    if (order === 'big') turn(bytes, reference);
    storages.set(key, fromArray(bytes));
  }
  return value;
}

function turn(bytes: Buffer, { key, dtype }: StorageReference): void {
  if (!dtype) throw new FileError(`storage '${key}' is big-endian and does not say of what.`);
  swapBytes(bytes, swapWidth(dtype));
}

/** Reads the legacy format: magic number, protocol, the writer's platform, value, storage keys, storages. */
function readLegacy(input: Input, storages: Storages, named: Named): unknown {
  const source = new PickleSource((position, length) => input.take(position, length), input.size);
  const unknown = 'it is not a file of torch.save, or comes from PyTorch before 0.4; save it again with Python.';
  if (input.size < 2 || input.take(0, 1)[0] !== 0x80 || unpickle(source) !== legacyMagic) throw new FileError(unknown);
  if (unpickle(source) !== legacyProtocol || !(unpickle(source) instanceof Dict)) throw new FileError(unknown);
  const references = new Map<string, StorageReference>();
  const value = unpickle(source, named, references);
  const keys = unpickle(source);
  if (!Array.isArray(keys) || keys.length !== references.size)
    throw new FileError('the list of its storages is not valid.');
  let { position } = source;
  for (const key of keys) {
    const reference = references.get(String(key));
    if (!reference || storages.has(reference.key)) throw new FileError('the list of its storages is not valid.');
    const count = Number(input.take(position, 8).readBigInt64LE());
    if (count * (reference.dtype ? itemSize(reference.dtype) : 1) !== reference.bytes)
      throw new FileError(`storage '${reference.key}' has ${count} elements, which is not what the value says.`);
    storages.set(reference.key, fromArray(input.take(position + 8, reference.bytes)));
    position += 8 + reference.bytes;
  }
  if (position !== input.size) throw new FileError('bytes follow its last storage; it is damaged.');
  return value;
}

function makeTensor(source: PlannedTensor | StorageReference, storages: Storages): Tensor {
  const plan = source instanceof PlannedTensor ? source.plan : wholeStorage(source);
  const { dtype, offset, shape, strides } = plan;
  const storage = storages.get(plan.storage.key) as Tensor;
  const width = itemSize(dtype);
  const count = Math.floor(plan.storage.bytes / width);
  checkInside(plan, count);
  const typed = storage.narrow(0, 0, count * width).view(dtype);
  // Not an autograd view: each tensor is a leaf with its own version counter, as after torch.load.
  let tensor = functions.empty([0], { dtype }).set_(typed, offset, shape, strides);
  if (plan.conjugated) tensor = tensor._conj();
  if (plan.negated) tensor = tensor._negView();
  return plan.requiresGrad ? tensor.requiresGrad_() : tensor;
}

function wholeStorage(storage: StorageReference): TensorPlan {
  const dtype: DType = storage.dtype ?? 'uint8';
  const shape = [storage.bytes / itemSize(dtype)];
  return { storage, dtype, offset: 0, shape, strides: [1], requiresGrad: false, conjugated: false, negated: false };
}

function checkInside({ storage, offset, shape, strides }: TensorPlan, count: number): void {
  const empty = shape.includes(0);
  const numel = empty ? 0 : shape.reduce((product, size) => product * size, 1);
  const last = empty ? -1 : shape.reduce((sum, size, i) => sum + (size - 1) * (strides[i] as number), offset);
  if (!isSize(numel) || !isSize(last + 1) || last >= count || offset > count)
    throw new FileError(
      `a tensor of shape [${shape.join(', ')}] reaches beyond the ${count} elements of storage '${storage.key}'.`,
    );
}
