/** Verifies files against the checksums in them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkCall } from '../call.js';
import { isPacked, verifyPacked } from '../data/formats/packed.js';
import { readStudentCard } from '../distill/saved-student.js';
import { isCache, verifyCache } from '../distill/target-cache.js';
import { FileError, messageOf } from '../errors.js';
import { kindOfFile, openSafetensors } from '../files/index.js';
import { partsOf } from '../files/mapped.js';
import { checkZip } from '../zip-check.js';
import { damageOf } from './checkpoint-file.js';

/** The result of {@link verifyFile} for one file. */
export interface FileVerdict {
  file: string;
  /** The kind of file, such as `checkpoint`. */
  kind: string;
  /** `unchecked`: the format has no checksum, or this file has none. */
  state: 'intact' | 'damaged' | 'unchecked';
  /** The damage, or the checksums that were compared. */
  detail: string;
}

/**
 * Verifies the checksums of a file: a checkpoint, a student, another safetensors file, a packed data set, a cache of a
 * teacher's features, a zip archive (TorchScript, exported programs, state dicts, .npz). For a folder, verifies all of
 * these directly in it. Throws FileError if the path does not exist or the folder has none of them.
 */
export async function verifyFile(path: string): Promise<FileVerdict[]> {
  checkCall('verifyFile', ['path'], undefined, arguments);
  if (!existsSync(path)) throw new FileError(`${path} does not exist.`);
  if (!statSync(path).isDirectory()) return [await verdictOf(path)];
  if (isCache(path)) return [cacheVerdict(path)];
  const below = readdirSync(path)
    .sort()
    .map((name) => join(path, name));
  const verdicts: FileVerdict[] = [];
  for (const file of below) {
    if (isCache(file)) verdicts.push(cacheVerdict(file));
    else if (/\.(safetensors|pt2?|pth|npz|pack)$/.test(file) && statSync(file).isFile())
      verdicts.push(await verdictOf(file));
  }
  if (verdicts.length > 0) return verdicts;
  throw new FileError(
    `${path} holds no checkpoint, student, archive, packed data set or cache of a teacher's features.`,
  );
}

async function verdictOf(file: string): Promise<FileVerdict> {
  if (isPacked(file)) return judged(file, 'packed data set', 'pixels and header', () => verifyPacked(file));
  const kind = await kindOfFile(file);
  if (kind === 'safetensors' || file.endsWith('.safetensors')) return safetensorsVerdict(file);
  if (isZip(file)) return judged(file, kind, 'CRC-32 of every entry', () => checkZip(file));
  return { file, kind, state: 'unchecked', detail: 'this format has no checksum' };
}

function isZip(file: string): boolean {
  for (const start of partsOf(file, 0, Math.min(4, statSync(file).size)))
    return start.equals(Buffer.from('PK\x03\x04'));
  return false;
}

function safetensorsVerdict(file: string): FileVerdict {
  let kind = 'safetensors';
  let hasChecksum = true;
  const verdict = judged(file, kind, 'CRC-32 of the whole file', () => {
    using opened = openSafetensors(file);
    const { checkpoint, srrl } = opened.metadata;
    kind = checkpoint ? 'checkpoint' : srrl ? 'student' : kind;
    hasChecksum = opened.verify();
    const damage = checkpoint ? damageOf(file) : undefined;
    if (damage !== undefined) throw new FileError(damage);
    if (srrl) readStudentCard(file);
  });
  if (verdict.state === 'damaged' || hasChecksum) return { ...verdict, kind };
  return { file, kind, state: 'unchecked', detail: 'it has no checksum: another program wrote it' };
}

function cacheVerdict(file: string): FileVerdict {
  const kind = "cache of a teacher's features";
  let found = '';
  const verdict = judged(file, kind, '', () => {
    const { count, absent, damaged } = verifyCache(file);
    found = `CRC-32 of ${count - absent} of ${count} vectors; the others are not there yet`;
    if (damaged > 0)
      throw new FileError(`damaged vectors: ${damaged} of ${count - absent}. The next run computes them again.`);
  });
  return verdict.state === 'intact' ? { ...verdict, detail: found } : verdict;
}

function judged(file: string, kind: string, compared: string, body: () => void): FileVerdict {
  try {
    body();
    return { file, kind, state: 'intact', detail: compared };
  } catch (error) {
    return { file, kind, state: 'damaged', detail: messageOf(error) };
  }
}
