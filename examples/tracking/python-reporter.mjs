/** A reporter that hands every event of a run to a Python program, as a line of JSON on its standard input. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** @param script the Python file, next to this one; SRRL_PYTHON or `python3` runs it */
export function pythonReporter(script, { name }) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.env.SRRL_PYTHON ?? 'python3', [file], { stdio: ['pipe', 'inherit', 'inherit'] });
  // If Python cannot be started, this rejects and 'error' sets the failure.
  const closed = once(child, 'close').catch(() => undefined);
  let failure;
  for (const source of [child, child.stdin]) source.on('error', (error) => (failure ??= error));
  child.on('close', (code) => {
    if (code !== 0) failure ??= new Error(`${file} ended with code ${code}`);
  });
  const write = (message) => {
    // The run leaves out a reporter that throws, and continues.
    if (failure) throw failure;
    child.stdin.write(`${JSON.stringify(message)}\n`);
  };
  return {
    name: script,
    on: (event) => write({ run: name, ...event }),
    async close(error) {
      if (failure) return;
      write({ run: name, type: 'close', ...(error && { error: String(error) }) });
      child.stdin.end();
      await closed;
      if (failure) throw failure;
    },
  };
}
