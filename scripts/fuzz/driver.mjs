// Runs the cases of one target in child processes: a new one continues behind a case that ended the last.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keepLast } from './kept.mjs';

const child = fileURLToPath(new URL('child.mjs', import.meta.url));
/** More than any case needs; a case that asks for more gets an error, not the machine's last memory. */
const addressSpace = process.env.ASAN_OPTIONS ? 'unlimited' : 8_000_000;

/** Same errors at the same place are one finding; `report` hears of it once. */
export async function runTarget({ name, seed, first, cases, milliseconds, verbose, report }) {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'srrl-fuzz-'));
  const counts = { cases: 0, counted: 0, unit: '', crashes: 0, hangs: 0, errors: 0 };
  const seen = new Set();
  const found = (kind, number, message, file) => {
    // What was called, without its arguments: one finding for each function.
    const signature = `${kind} ${message.replace(/^([^(]*(\('[^']*')?).*/s, '$1')}`;
    if (seen.has(signature)) return;
    seen.add(signature);
    report({ kind, number, message, file });
  };
  const end = Date.now() + milliseconds;
  const last = first + cases;
  try {
    let next = first;
    while (next < last && Date.now() < end) {
      const file = join(folder, 'progress');
      const outcome = await runChild({ name, seed, first: next, last, end, verbose, file, folder }, (message) => {
        if (message.unit) counts.unit = message.unit;
        if (message.error === undefined) return;
        counts.errors++;
        found('error', message.number, message.error, message.file);
      });
      const { number, counted } = progressIn(file);
      counts.counted += counted;
      counts.cases += Math.max(0, number - next);
      next = number + 1;
      if (outcome === 'done') continue;
      counts.cases++;
      const kind = outcome === 'hang' ? 'hang' : 'crash';
      counts[kind === 'hang' ? 'hangs' : 'crashes']++;
      if (verbose) continue;
      const kept = keepLast(folder, number);
      if (kept) found(kind, number, `${outcome} in ${name}`, kept);
      else found(kind, number, `${outcome} ${await lastCall({ name, seed, number, file, folder })}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return counts;
}

/** What a case did last, by repeating it; empty where it ends well this time. */
async function lastCall({ number, ...others }) {
  let text = '';
  const options = { ...others, first: number, last: number + 1, end: Number.POSITIVE_INFINITY };
  const outcome = await runChild({ ...options, verbose: true, say: (chunk) => (text += chunk) }, () => {});
  return outcome === 'done' ? '(not when repeated alone)' : text.trimEnd().split('\n').slice(-2).join(' ');
}

/** The case that runs, or the one behind the last, and what was counted before it. */
function progressIn(file) {
  const bytes = readFileSync(file);
  return { number: bytes.readDoubleLE(0), counted: bytes.readDoubleLE(8) };
}

/** Resolves with `done`, `hang`, or how the process ended. */
function runChild({ name, seed, first, last, end, verbose, file, folder, say }, hear) {
  const descriptor = openSync(file, 'w+');
  const given = [name, seed, first, last, end, folder, verbose ? 'verbose' : ''].map((value) => String(value));
  const process_ = spawn(
    'sh',
    ['-c', `ulimit -v ${addressSpace}; ulimit -c 0; exec "$@"`, 'sh', process.execPath, '--expose-gc', child, ...given],
    {
      stdio: [
        'ignore',
        say ? 'pipe' : verbose ? 'inherit' : 'ignore',
        say || !verbose ? 'pipe' : 'inherit',
        'ipc',
        descriptor,
      ],
      env: { OMP_NUM_THREADS: '1', ...process.env },
    },
  );
  closeSync(descriptor);
  process_.stdout?.on('data', say);
  let words = '';
  process_.stderr?.on('data', (chunk) => {
    words = (words + chunk).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    // A busy machine takes minutes to load the package.
    let [limit, ready] = [600, false];
    let before = -1;
    let since = Date.now();
    let hung = false;
    const watch = setInterval(() => {
      const bytes = readFileSync(file);
      const number = bytes.length === 16 ? bytes.readDoubleLE(0) : -1;
      if (number !== before) [before, since] = [number, Date.now()];
      if (Date.now() - since < limit * 1000) return;
      hung = true;
      process_.kill('SIGKILL');
    }, 500);
    process_.on('message', (message) => {
      if (message.seconds) [limit, ready, since] = [message.seconds, true, Date.now()];
      hear(message);
    });
    process_.on('close', (code, signal) => {
      clearInterval(watch);
      if (!ready) reject(new Error(`The target ${name} cannot begin:\n${words}`));
      else if (hung) resolve('hang');
      else if (code === 0) resolve('done');
      else resolve(signal ? `${signal} ${lastWords(words)}` : `exit code ${code} ${lastWords(words)}`);
    });
  });
}

/** What a process said about its own end. */
const lastWords = (text) => {
  const line = text
    .split('\n')
    .find((part) =>
      /ERROR: AddressSanitizer|runtime error|SUMMARY|Assertion|terminate|what\(\)|FATAL|out of memory/.test(part),
    );
  return (line ?? '').slice(0, 200);
};
