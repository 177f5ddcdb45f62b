/** The tensors of an exported program. */
import { FileError, TeacherError } from '../../errors.js';
import { isSize, itemSize } from '../../files/bytes.js';
import type { DType } from '../../tensor/dtype.js';
import { fromArray, type Tensor, functions as torch } from '../../tensor/index.js';
import type { ProgramArchive } from './archive.js';
import type { Payload } from './schema.js';

/** Dtypes by the number in the file format. */
const dtypes: Record<number, DType> = {
  1: 'uint8',
  2: 'int8',
  3: 'int16',
  4: 'int32',
  5: 'int64',
  6: 'float16',
  7: 'float32',
  8: 'float64',
  10: 'complex64',
  11: 'complex128',
  12: 'bool',
  13: 'bfloat16',
};
const strided = 7;
// An expanded tensor has more elements than its storage; above this number, the file counts as damaged.
const mostElements = 2 ** 28;

/** Returns the numbers of the parameters' half and double precision dtypes, which float32 replaces. */
export function replacedTypes({ payloads }: ProgramArchive): Set<number> {
  const types = [...payloads.values()]
    .filter(({ is_param }) => is_param)
    .map(({ tensor_meta: meta }) => meta?.dtype ?? 0);
  return new Set(types.filter((type) => [6, 8, 13].includes(type)));
}

/** Reads tensors by name; the bytes of a shared storage are read once. */
export class Weights {
  private readonly storages = new Map<string, Tensor>();

  constructor(
    private readonly archive: ProgramArchive,
    private readonly replaced: Set<number>,
    private readonly device: string,
  ) {}

  async read(name: string): Promise<{ tensor: Tensor; parameter: boolean }> {
    const entry = this.archive.payloads.get(name);
    if (!entry) throw new FileError(`it holds no tensor '${name}'.`);
    const { tensor_meta: meta, path_name, is_param: parameter, use_pickle } = entry;
    if (use_pickle || !meta || meta.layout !== strided)
      throw new TeacherError(`'${name}' is not a plain tensor (it is sparse, quantized or of a class of its own).`);
    const dtype = dtypes[meta.dtype];
    if (!dtype) throw new TeacherError(`'${name}' has a dtype that is not supported (number ${meta.dtype}).`);
    const path = entry.folder + path_name;
    const bytes = this.storages.get(path) ?? fromArray(await this.archive.read(path));
    this.storages.set(path, bytes);
    const tensor = view(name, bytes, dtype, meta);
    return {
      tensor: tensor.to({ device: this.device, ...(this.replaced.has(meta.dtype) && { dtype: 'float32' }) }),
      parameter,
    };
  }
}

function view(name: string, bytes: Tensor, dtype: DType, meta: NonNullable<Payload['tensor_meta']>): Tensor {
  const [sizes, strides] = [meta.sizes, meta.strides].map((list) => list.map(({ as_int }) => as_int)) as [
    number[],
    number[],
  ];
  const offset = meta.storage_offset.as_int;
  const count = Math.floor(bytes.numel() / itemSize(dtype));
  const elements = sizes.reduce((product, size) => product * size, 1);
  const last = sizes.reduce((sum, size, i) => sum + (size - 1) * (strides[i] ?? 0), offset);
  const inside = elements === 0 ? [...sizes, ...strides].every(isSize) : isSize(last) && last < count;
  if (strides.length !== sizes.length || !inside || !(elements <= Math.max(mostElements, count)) || offset > count)
    throw new FileError(`'${name}' of shape [${sizes.join(', ')}] does not fit the ${count} elements of its storage.`);
  if (elements === 0) return torch.empty(sizes, { dtype });
  const typed = bytes.narrow(0, 0, count * itemSize(dtype)).view(dtype);
  return torch.empty([0], { dtype }).set_(typed, offset, sizes, strides);
}
