/** NumPy's .npz archives: .npy files in a zip. */
import { checkCall, checkCount } from '../call.js';
import { FileError } from '../errors.js';
import type { Tensor } from '../tensor/index.js';
import { bytesOf } from './bytes.js';
import { naming, readingAsync } from './errors.js';
import { Input } from './input.js';
import { npyHeader, readNpy, type Source } from './npy.js';
import { writeAtomically } from './output.js';
import { mostInflated, ZipReader } from './zip-reader.js';
import { ZipWriter } from './zip-writer.js';

const suffix = '.npy';

/** Options of {@link loadNpz}. */
export interface NpzOptions {
  /** The most bytes that all compressed arrays together may unpack to. Default 1 GiB. */
  maxBytes?: number;
}

/**
 * Reads all arrays of an archive, stored or compressed, by name. Throws FileError if the archive is damaged, or unpacks
 * to more than `maxBytes`.
 */
export async function loadNpz(file: string, options: NpzOptions = {}): Promise<Record<string, Tensor>> {
  checkCall('loadNpz', ['file: text'], { maxBytes: 'number' }, arguments);
  const { maxBytes = mostInflated } = options;
  return readingAsync(file, async () => {
    const input = new Input(file);
    const tensors: Record<string, Tensor> = Object.create(null);
    try {
      const zip = await ZipReader.open(input, maxBytes);
      for (const name of zip.names) {
        if (!name.endsWith(suffix)) throw new FileError(`'${name}' in the archive is no .npy file.`);
        tensors[name.slice(0, -suffix.length)] = readNpy(inMemory(await zip.read(name)));
      }
      return tensors;
    } catch (error) {
      for (const tensor of Object.values(tensors)) tensor.dispose();
      throw error;
    } finally {
      input.close();
    }
  });
}

/** Writes named tensors as an uncompressed archive, atomically and one tensor at a time. */
export function saveNpz(file: string, tensors: Record<string, Tensor>): void {
  checkCount('saveNpz', ['file', 'tensors'], arguments);
  writeAtomically(file, (output) => {
    const zip = new ZipWriter(output);
    for (const [name, tensor] of Object.entries(tensors))
      naming(name, () => zip.add(name + suffix, npyHeader(tensor), bytesOf(tensor)));
    zip.finish();
  });
}

function inMemory(bytes: Buffer): Source {
  const within = (position: number, length: number) => {
    if (position + length > bytes.length) throw new FileError('it is truncated.');
    return bytes.subarray(position, position + length);
  };
  return {
    size: bytes.length,
    take: within,
    read: (into, position) => into.set(within(position, into.length)),
  };
}
