// A Python process that answers each line with a number.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Starts peers/`file` with the python in SRRL_PYTHON; its first line says what it is. */
export async function startPeer(file, args) {
  const path = fileURLToPath(new URL(`peers/${file}`, import.meta.url));
  const child = spawn(process.env.SRRL_PYTHON ?? 'python3', [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.on('error', (error) => {
    console.error(`${error.message}: a python with torch is needed; name it in SRRL_PYTHON.`);
    process.exit(1);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the Python peer ${file} ended`);
    return value;
  };
  return {
    about: await next(),
    async ask(question) {
      child.stdin.write(`${question}\n`);
      return Number(await next());
    },
    end: () => child.stdin.end(),
  };
}
