/**
 * Installs a libtorch into the cache: from PyTorch's own archive, or if that is unreachable from the torch wheel that
 * pip finds (a wheel is a zip with headers, libraries and CMake files). One copy per user and version.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ConfigError, FileError, LibtorchError, messageOf } from '../errors.js';
import { pinned } from '../native.js';
import { copyFolder, extractArchive, type Progress, sha256 } from './archive.js';
import { baseVersion, type Libtorch, libtorchCache, versionOf } from './locate.js';

export interface InstallOptions {
  /** `cpu` (default), or a CUDA build of PyTorch such as `cu130`. */
  build?: string;
  /** A zip, a wheel, a folder, or the URL of a zip or wheel, to use instead of the search. */
  from?: string;
  /** The expected SHA-256 of the archive, in hexadecimal. */
  sha256?: string;
  /** Receives status messages, one line each. */
  say?: (line: string) => void;
  /** Receives progress in bytes; `what` names the step. */
  progress?: (what: string, done: number, total: number) => void;
}

/** Installs the pinned libtorch into the cache and returns it. Replaces an installed copy of that build. */
export async function installLibtorch(options: InstallOptions = {}): Promise<Libtorch> {
  const build = options.build ?? 'cpu';
  if (!/^(cpu|cu\d{3})$/.test(build))
    throw new ConfigError(`'${build}' is not a build of libtorch: use cpu, or cu130 and the like.`);
  await mkdir(libtorchCache(), { recursive: true });
  const work = await mkdtemp(join(libtorchCache(), '.partial-'));
  try {
    const folder = join(work, 'libtorch');
    await mkdir(folder);
    const source = options.from ? await given(options.from, work, options) : await fetched(build, work, options);
    await unpack(source, folder, options);
    return await settle(folder, build, options);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Returns the archive or folder that `--from` names; downloads it if it is a URL. */
async function given(from: string, work: string, options: InstallOptions): Promise<string> {
  if (/^https?:/.test(from)) return download(from, join(work, 'archive.zip'), options);
  if (!existsSync(from)) throw new FileError(`${from} does not exist; --from takes a zip, a wheel, a folder or a URL.`);
  return from;
}

async function fetched(build: string, work: string, options: InstallOptions): Promise<string> {
  const say = options.say ?? (() => {});
  const template = pinned.archives[`${process.platform}-${process.arch}`]?.[build === 'cpu' ? 'cpu' : 'cuda'];
  if (template) {
    const url = template.replaceAll('{version}', pinned.version).replaceAll('{cuda}', build);
    try {
      return await download(url, join(work, 'archive.zip'), options);
    } catch (error) {
      say(`PyTorch's archive cannot be downloaded (${messageOf(error)}); trying the torch wheel through pip`);
    }
  }
  return wheel(build, work, say);
}

/**
 * Downloads the wheel that pip finds. On most Linux machines plain torch is a CUDA build, which is not what `cpu`
 * means.
 */
async function wheel(build: string, work: string, say: (line: string) => void): Promise<string> {
  const index = ['--index-url', pinned.wheelIndex.replace('{build}', build)];
  const requirement = `torch==${pinned.version}`;
  const plain = build === 'cpu' && (process.platform !== 'linux' || (await plainVersion(requirement)).endsWith('+cpu'));
  say(`pip download ${requirement}${plain ? '' : ` from PyTorch's ${build} index`}`);
  const folder = join(work, 'wheel');
  await pip(['download', '--no-deps', '--dest', folder, ...(plain ? [] : [...index, '--retries', '1']), requirement]);
  const file = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (!file) throw new LibtorchError(`pip downloaded no wheel for ${requirement}.`);
  return join(folder, file);
}

/** Returns the version and build that pip would download, without downloading it; empty if pip cannot tell. */
async function plainVersion(requirement: string): Promise<string> {
  try {
    const report = await pip([
      'install',
      '--dry-run',
      '--ignore-installed',
      '--no-deps',
      '--quiet',
      '--report',
      '-',
      requirement,
    ]);
    const parsed = JSON.parse(report) as { install: { metadata: { version: string } }[] };
    return parsed.install[0]?.metadata.version ?? '';
  } catch {
    return '';
  }
}

function pip(args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', ['-m', 'pip', '--disable-pip-version-check', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let trouble = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (trouble += chunk));
    child.on('error', () =>
      reject(
        new LibtorchError(
          'python3 with pip is needed to fetch libtorch here. Install them, or give --from a zip, wheel or folder.',
        ),
      ),
    );
    child.on('close', (code) => {
      const last =
        trouble
          .trim()
          .split('\n')
          .filter((line) => /error/i.test(line))
          .at(-1) ?? trouble.trim().split('\n').at(-1);
      if (code === 0) resolve(out);
      else reject(new LibtorchError(`pip could not get torch: ${last}. Give --from a zip, wheel or folder instead.`));
    });
  });
}

async function download(url: string, file: string, options: InstallOptions): Promise<string> {
  options.say?.(`downloading ${url}`);
  const abort = new AbortController();
  const patience = setTimeout(() => abort.abort(new Error('no answer within 20 seconds')), 20_000);
  let response: Response;
  try {
    response = await fetch(url, { signal: abort.signal });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    throw new LibtorchError(`${new URL(url).host} did not answer: ${cause?.code ?? messageOf(error)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(patience);
  }
  if (!response.ok || !response.body)
    throw new LibtorchError(`${url} answered ${response.status} ${response.statusText}`);
  const total = Number(response.headers.get('content-length') ?? 0);
  let done = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      options.progress?.('download', done, total);
      next(null, chunk);
    },
  });
  await pipeline(
    Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
    count,
    createWriteStream(file),
  );
  if (total > 0 && done !== total) throw new LibtorchError(`${url} ended after ${done} of ${total} bytes`);
  return file;
}

async function unpack(source: string, folder: string, options: InstallOptions): Promise<void> {
  const progress: Progress = (done, total) => options.progress?.('unpack', done, total);
  if ((await stat(source)).isDirectory()) return copyFolder(source, folder);
  if (options.sha256) {
    const actual = await sha256(source);
    if (actual !== options.sha256.toLowerCase())
      throw new FileError(`${source} has SHA-256 ${actual}, expected ${options.sha256}.`);
  }
  options.say?.('unpacking and checking every file');
  await extractArchive(source, folder, progress);
}

/** Verifies the unpacked files and moves them into place in one step. */
async function settle(folder: string, build: string, options: InstallOptions): Promise<Libtorch> {
  const version = versionOf(folder);
  if (!version) throw new FileError('What was unpacked is no libtorch: it carries no version.');
  if (!options.from && baseVersion(version) !== pinned.version) {
    throw new FileError(`What was fetched is libtorch ${version}, not ${pinned.version}.`);
  }
  const hasCuda = (await readdir(join(folder, 'lib'))).some((name) => name.startsWith('libtorch_cuda'));
  if (!options.from && build === 'cpu' && hasCuda) {
    throw new LibtorchError(
      'What was fetched is a CUDA build, which does not load alone. Give --from the CPU build, or ask for --cuda.',
    );
  }
  const target = join(libtorchCache(), version.includes('+') ? version : `${version}+${hasCuda ? build : 'cpu'}`);
  await rm(target, { recursive: true, force: true });
  try {
    await rename(folder, target);
  } catch (error) {
    if (!existsSync(target)) throw error; // otherwise another process was first, with the same files
  }
  return { source: 'cache', folder: target, version };
}
