import { spawn } from 'node:child_process';
import { BenchError } from '../errors.js';

/** Runs Node.js and returns its standard output. Throws BenchError if it fails. */
export function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(out);
      else
        reject(new BenchError(`A process that is measured ended with ${code}: ${err.trim().split('\n').at(-1) ?? ''}`));
    });
  });
}
