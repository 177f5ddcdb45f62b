/** Inspects a file in a child process, because a damaged or hostile file can make libtorch crash. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { ScriptDescription } from '../distill/script-teacher.js';
import { FileError } from '../errors.js';
import { packageRoot } from '../native.js';

/** Seconds until the child process is killed. */
const timeLimit = 120;
/** The most characters that the child process may print. */
const largestOutput = 2 ** 26;

/** Returns the result of `srrl inspect`. Throws FileError if it fails, is ended by a signal, or takes too long. */
export async function inspectIsolated(file: string, tap?: string): Promise<ScriptDescription> {
  const args = ['inspect', '--json', ...(tap === undefined ? [] : ['--tap', tap]), '--', file];
  const child = spawn(process.execPath, [join(packageRoot, 'bin/srrl.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 1000 * timeLimit,
    killSignal: 'SIGKILL',
  });
  let [output, trouble] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
    if (output.length > largestOutput) child.kill('SIGKILL');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (trouble.length < 10_000) trouble += chunk;
  });
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  if (signal !== null)
    throw new FileError(
      `The process that looked into ${file} was ended by ${signal}: the file is damaged, or made to do that. Do not load it.`,
    );
  try {
    return JSON.parse(output) as ScriptDescription;
  } catch {
    throw new FileError(trouble.trim().replace(/^srrl: /, '') || `${file} cannot be inspected: exit code ${code}.`);
  }
}
