/** What a file is by its content: names and extensions of files say little about them. */
import { FileError } from '../errors.js';
import { readingAsync } from './errors.js';
import { Input } from './input.js';
import { ZipReader } from './zip-reader.js';

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

/** Throws FileError where the file does not exist or cannot be opened. */
export async function kindOfFile(file: string): Promise<FileKind> {
  return readingAsync(file, async () => {
    const input = new Input(file);
    try {
      const start = input.take(0, Math.min(input.size, 64));
      const text = start.toString('latin1');
      if (text.startsWith('PK\x03\x04')) return await kindOfZip(input);
      if (text.startsWith('\x89HDF\r\n')) return 'HDF5';
      if (text.startsWith('\x93NUMPY')) return 'NumPy';
      // The number with which torch.save begins, as a pickle of its own.
      if (/^\x80[\x02-\x05](?:\x95.{8})?\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\./s.test(text)) return 'state dict';
      if (/^\x80[\x02-\x05]/.test(text)) return 'pickle';
      if (isSafetensors(start, input.size)) return 'safetensors';
      // A protocol buffer whose first field is the version of ONNX, and whose next is a text or a graph.
      if (/^\x08[\x01-\x14][\x12\x1a\x22\x3a\x42]/.test(text)) return 'ONNX';
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
