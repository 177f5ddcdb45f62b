/** Detects the kind of a file by its content, because names and extensions are unreliable. */
import { checkCall } from '../call.js';
import { FileError } from '../errors.js';
import { readingAsync } from './errors.js';
import { Input } from './input.js';
import { ZipReader } from './zip-reader.js';

/** The kind of a file, detected from its first bytes and, for an archive, from the names in it. */
export type FileKind =
  | 'state dict'
  | 'safetensors'
  | 'TorchScript'
  | 'torch.export program'
  | 'AOTInductor package'
  | 'ONNX'
  | 'HDF5'
  | 'NumPy'
  | 'pickle'
  | 'zip'
  | 'unknown';

/** The magic number at the start of the legacy torch.save format, as a pickle instruction. */
const legacyMagic = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex');

/** Detects the kind of a file. Throws FileError if the file does not exist or cannot be opened. */
export async function kindOfFile(file: string): Promise<FileKind> {
  checkCall('kindOfFile', ['file: text'], undefined, arguments);
  return readingAsync(file, async () => {
    const input = new Input(file);
    try {
      const start = input.take(0, Math.min(input.size, 64));
      const text = start.toString('latin1');
      if (text.startsWith('PK\x03\x04')) return await kindOfZip(input);
      if (text.startsWith('\x89HDF\r\n')) return 'HDF5';
      if (text.startsWith('\x93NUMPY')) return 'NumPy';
      if (start[0] === 0x80 && [2, 3, 4, 5].includes(start[1] ?? 0))
        return start.subarray(2).includes(legacyMagic) ? 'state dict' : 'pickle';
      if (isSafetensors(start, input.size)) return 'safetensors';
      // A protocol buffer whose first field is the ONNX version, followed by a text or a graph.
      if (start[0] === 8 && (start[1] ?? 99) < 20 && [0x12, 0x1a, 0x22, 0x3a, 0x42].includes(start[2] ?? 0))
        return 'ONNX';
      return 'unknown';
    } finally {
      input.close();
    }
  });
}

async function kindOfZip(input: Input): Promise<FileKind> {
  let names: string[];
  try {
    ({ names } = await ZipReader.open(input));
  } catch (error) {
    if (error instanceof FileError) return 'zip';
    throw new FileError('it is a zip archive that is truncated or damaged.', { cause: error });
  }
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (has(/\.(so|cpp|wrapper\.cpp)$/) && has(/aotinductor/)) return 'AOTInductor package';
  if (has(/(^|\/)(models\/[^/]+\.json|serialized_exported_program\.json)$/)) return 'torch.export program';
  if (has(/^[^/]+\/constants\.pkl$/)) return 'TorchScript';
  if (has(/^[^/]+\/data\.pkl$/)) return 'state dict';
  return names.length > 0 && names.every((name) => name.endsWith('.npy')) ? 'NumPy' : 'zip';
}

function isSafetensors(start: Buffer, size: number): boolean {
  if (start.length < 9) return false;
  const length = Number(start.readBigUInt64LE());
  return length >= 2 && 8 + length <= size && start[8] === '{'.charCodeAt(0);
}
