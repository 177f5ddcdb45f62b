/** The origin of results: the version of this package, the command line, and the teacher's file. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { withoutSecrets } from '../data/remote/address.js';
import { studentFileIn } from '../distill/saved-student.js';
import { packageRoot } from '../native.js';
import { quoted } from '../shell.js';

/** Returns the version of this package, and the commit if it is a git checkout. */
export function packageVersion(): { version: string; commit?: string } {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  // A repository that merely contains the package, as in node_modules, has the wrong commit.
  if (!existsSync(join(packageRoot, '.git'))) return { version };
  try {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: packageRoot,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return { version, commit: commit.toString().trim() };
  } catch {
    return { version };
  }
}

/** Returns the command line of this process, quoted for a shell, without credentials in URLs. */
export function commandLine([, script = '', ...args]: readonly string[] = process.argv): string {
  const words = script.endsWith('/srrl.js') || script.endsWith('/srrl') ? ['srrl'] : ['node', basename(script)];
  return [...words, ...args.map((word) => quoted(withoutSecrets(word)))].join(' ');
}

/** Returns the SHA-256 of the file that a teacher was loaded from; undefined if there is none. */
export function teacherHash(source: string): string | undefined {
  const [, weights = ''] = source.match(/^[\w.]{2,}:(.+)$/s) ?? [];
  const file = [source, weights].find((candidate) => existsSync(candidate));
  if (file === undefined) return undefined;
  return hashOf(statSync(file).isDirectory() ? studentFileIn(file) : file);
}

function hashOf(file: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(1 << 20);
  const descriptor = openSync(file, 'r');
  try {
    for (let read = 1; read > 0; ) {
      read = readSync(descriptor, buffer);
      hash.update(buffer.subarray(0, read));
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}
