/** Extracts the files needed to build and run from a libtorch archive, a torch wheel, or a folder of either layout. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { cp, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { FileError } from '../errors.js';

/** Reports bytes done and bytes in total. */
export type Progress = (done: number, total: number) => void;

const wanted = /^(lib\/|include\/|share\/cmake\/|bin\/torch_shm_manager$|build-version$|version\.py$)/;
const unwanted = /libtorch_python|backend_with_compiler|jitbackend_test|torchbind_test|aoti_custom_ops|\.a$|\.lib$|\/$/;

function isWanted(path: string): boolean {
  return wanted.test(path) && !unwanted.test(path);
}

/**
 * Returns the path relative to libtorch's root; undefined for files outside of it: `libtorch/lib/x` and `torch/lib/x`
 * -> `lib/x`.
 */
function innerPath(name: string): string | undefined {
  const match = name.match(/^(?:lib)?torch\/(.+)$/);
  return match?.[1] && isWanted(match[1]) ? match[1] : undefined;
}

async function entriesOf(zip: ZipFile): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of zip.eachEntry()) entries.push(entry);
  return entries;
}

/** Reads SHA-256 by file name from a wheel's RECORD, in URL-safe base64. Empty for a plain archive. */
async function recordedHashes(zip: ZipFile, entries: Entry[]): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  const record = entries.find((entry) => /^torch-[^/]*\.dist-info\/RECORD$/.test(entry.fileName));
  if (!record) return hashes;
  const stream = await zip.openReadStreamPromise(record);
  const text = Buffer.concat(await stream.toArray()).toString('utf8');
  for (const line of text.split('\n')) {
    const match = line.match(/^"?(.+?)"?,sha256=([^,]+),/);
    if (match?.[1] && match[2]) hashes.set(match[1], match[2]);
  }
  return hashes;
}

/**
 * Extracts a wheel or libtorch zip into `folder` and checks every file against the wheel's RECORD or the zip's CRC-32.
 */
export async function extractArchive(file: string, folder: string, progress: Progress): Promise<void> {
  let zip: ZipFile;
  try {
    zip = await openPromise(file, { lazyEntries: true, autoClose: false });
  } catch (error) {
    throw new FileError(`${file} is not a readable zip archive or wheel; download it again.`, { cause: error });
  }
  try {
    const entries = await entriesOf(zip);
    const hashes = await recordedHashes(zip, entries);
    const chosen = entries.flatMap((entry) => {
      const path = innerPath(entry.fileName);
      return path ? [{ entry, path }] : [];
    });
    if (!chosen.some(({ path }) => /^lib\/libtorch_cpu\./.test(path))) {
      throw new FileError(`${file} holds no libtorch: there is no lib/libtorch_cpu in it.`);
    }
    const total = chosen.reduce((sum, { entry }) => sum + entry.uncompressedSize, 0);
    let done = 0;
    for (const { entry, path } of chosen) {
      await extractEntry(zip, entry, join(folder, path), hashes.get(entry.fileName));
      done += entry.uncompressedSize;
      progress(done, total);
    }
  } finally {
    zip.close();
  }
}

async function extractEntry(zip: ZipFile, entry: Entry, target: string, recorded: string | undefined): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const sha = createHash('sha256');
  let crc = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (recorded) sha.update(chunk);
      else crc = crc32(chunk, crc);
      done(null, chunk);
    },
  });
  const stream = await zip.openReadStreamPromise(entry);
  await pipeline(stream, check, createWriteStream(target, { mode: /\.so|\.dylib|bin\//.test(target) ? 0o755 : 0o644 }));
  const intact = recorded ? sha.digest('base64url') === recorded : crc === entry.crc32;
  if (!intact)
    throw new FileError(`${entry.fileName} in the archive is damaged (checksum differs); download it again.`);
}

/** Copies an unpacked libtorch, or a Python's torch folder, into `folder`. */
export async function copyFolder(source: string, folder: string): Promise<void> {
  for (const part of ['lib', 'include', 'share/cmake', 'build-version', 'version.py']) {
    const from = join(source, part);
    const exists = await stat(from).then(
      () => true,
      () => false,
    );
    if (!exists) continue;
    await mkdir(dirname(join(folder, part)), { recursive: true });
    await cp(from, join(folder, part), {
      recursive: true,
      dereference: true,
      filter: (path) => !unwanted.test(path),
    });
  }
}

/** Returns the SHA-256 of a file, in hexadecimal. */
export async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
