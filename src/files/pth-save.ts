import { checkCount } from '../call.js';
import { native } from '../native.js';
import type { DType } from '../tensor/dtype.js';
import { plain, scope, type Tensor, tensorsIn } from '../tensor/index.js';
import { bytesOf, itemSize } from './bytes.js';
import { type Sink, writeAtomically } from './output.js';
import { storageClasses } from './pickle/globals.js';
import { PickleWriter, type TensorPlace } from './pickle/writer.js';
import { ZipWriter } from './zip-writer.js';

// A multiple of every element size.
const grain = 16;

/** Tensors that share memory, and the range of bytes that they use. */
interface Shared {
  key: string;
  members: Tensor[];
  begin: number;
  end: number;
}

/**
 * Writes a value atomically so that Python's `torch.load(file, weights_only=True)` reads it: nested tensors, numbers,
 * texts, Uint8Arrays, arrays, plain objects, Maps and Sets. Tensors that share memory share it in the file, which
 * contains only the bytes that they use. Whole numbers become integers; `float(1)` is a float. All tensors are stored
 * as CPU tensors.
 */
export function savePth(file: string, value: unknown): void {
  checkCount('savePth', ['file', 'value'], arguments);
  writeAtomically(file, (output) => writePth(output, value));
}

/** Returns the bytes that {@link savePth} writes. */
export function pthBytes(value: unknown): Buffer {
  const output = new MemoryOutput();
  writePth(output, value);
  return Buffer.concat(output.parts);
}

class MemoryOutput implements Sink {
  readonly parts: Uint8Array[] = [];
  position = 0;

  write(bytes: Uint8Array): void {
    this.parts.push(bytes);
    this.position += bytes.byteLength;
  }
}

function writePth(output: Sink, value: unknown): void {
  scope(() => {
    const plain = new Map(tensorsIn(value).map((tensor) => [tensor, materialized(tensor)]));
    const shared = sharedStorages([...plain.values()]);
    const places = new Map(shared.flatMap((storage) => storage.members.map((member) => [member, storage])));
    const pickle = new PickleWriter((tensor) => {
      const stored = plain.get(tensor) as Tensor;
      return placeIn(places.get(stored) as Shared, stored, tensor.requiresGrad);
    }).pickle(value);
    const zip = new ZipWriter(output);
    const text = (name: string, content: string) => zip.add(`archive/${name}`, Buffer.from(content));
    zip.add('archive/data.pkl', pickle);
    text('.format_version', '1');
    text('.storage_alignment', '64');
    text('byteorder', 'little');
    for (const storage of shared)
      zip.add(
        `archive/data/${storage.key}`,
        scope(() => bytesIn(storage)),
      );
    text('version', '3\n');
    zip.finish();
  });
}

/**
 * Returns the tensor outside of autograd, with its memory layout unchanged. Throws FileError for a tensor without plain
 * elements, such as a sparse one.
 */
function materialized(tensor: Tensor): Tensor {
  return plain(tensor);
}

function sharedStorages(tensors: Tensor[]): Shared[] {
  const { sameStorage } = native();
  const all: Shared[] = [];
  for (const tensor of tensors) {
    const [begin, end] = extent(tensor);
    const found = all.find(({ members: [first] }) => sameStorage((first as Tensor).handle, tensor.handle));
    if (!found) {
      all.push({ key: String(all.length), members: [tensor], begin, end });
      continue;
    }
    found.members.push(tensor);
    if (begin === end) continue;
    const none = found.begin === found.end;
    found.begin = none ? begin : Math.min(found.begin, begin);
    found.end = none ? end : Math.max(found.end, end);
  }
  return all;
}

/** Returns the range of bytes that a tensor uses; it starts at a multiple of the grain. */
function extent(tensor: Tensor): [number, number] {
  if (tensor.numel() === 0) return [0, 0];
  const { shape, strides } = tensor;
  const width = itemSize(tensor.dtype);
  const first = tensor.storageOffset();
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * (strides[i] as number), first);
  return [Math.floor((first * width) / grain) * grain, (last + 1) * width];
}

function placeIn({ key, members, begin, end }: Shared, tensor: Tensor, requiresGrad: boolean): TensorPlace {
  const { dtype, shape, strides } = tensor;
  const oneType = members.every((member) => member.dtype === dtype);
  const storageClass = oneType ? storageClasses[dtype] : undefined;
  const width = itemSize(dtype);
  const storageSize = (end - begin) / (storageClass ? width : 1);
  const offset = tensor.numel() === 0 ? 0 : tensor.storageOffset() - begin / width;
  return { storageClass, dtype, key, storageSize, offset, shape, strides, requiresGrad };
}

function bytesIn({ members, begin, end }: Shared): Uint8Array {
  const width = (tensor: Tensor) => itemSize(tensor.dtype as DType);
  const narrowest = members.reduce((least, member) => (width(member) < width(least) ? member : least));
  const size = width(narrowest);
  return bytesOf(narrowest.asStrided([(end - begin) / size], [1], { storageOffset: begin / size }));
}
