// A run that is killed and resumed until it ends has the weights of one that was left alone, bit for bit.
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SampleRandom } from '../../dist/data/philox.js';
import { weightBytes } from '../../dist/distill/saved-student.js';
import { verifyFile } from '../../dist/index.js';

const script = fileURLToPath(new URL('child-distill.mjs', import.meta.url));
const killer = new URL('child-kill.mjs', import.meta.url).href;

/** Resolves with how the process ended and what it said. */
export function start(out, options, { args = [], env = {}, hear = () => {} } = {}) {
  const child = spawn(process.execPath, [...args, script, out, JSON.stringify({ ...options, resume: true })], {
    env: { ...process.env, OMP_NUM_THREADS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [said, words] = ['', ''];
  child.stdout.on('data', (chunk) => (said += chunk));
  child.stderr.on('data', (chunk) => (words += chunk));
  hear(child);
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, said, words })));
}

export const weights = (out) => weightBytes(join(out, 'student.safetensors'));

export function mustEnd({ code, signal, words, said }) {
  if (code !== 0) throw new Error(`the run ended with ${signal ?? code}: ${words}`);
  return JSON.parse(said.trim().split('\n').at(-1));
}

const random = new SampleRandom(7, 1, 1);
const options = { epochs: 3, checkpointSteps: 2 };

/** In turn: at any call to the file system, at a rename (between the files that an epoch writes), at any moment. */
const moments = {
  call: () => ({ args: ['--import', killer], env: { SRRL_KILL_AT: String(1 + random.below(80)) } }),
  rename: () => ({
    args: ['--import', killer],
    env: { SRRL_KILL_AT: String(1 + random.below(6)), SRRL_KILL_CALL: 'renameSync' },
  }),
  moment: () => ({ hear: (child) => setTimeout(() => child.kill('SIGKILL'), 300 + random.below(2500)) }),
};

export default {
  count: 100,
  promise: (count) => `${count} kills by SIGKILL; each run that was killed ends with the bits of one that was not`,
  async run({ count, folder }) {
    const whole = join(folder, 'whole');
    mustEnd(await start(whole, options));
    const rows = Object.fromEntries(Object.keys(moments).map((name) => [name, { kills: 0, resumed: 0 }]));
    let [kills, runs, resumed] = [0, 0, false];
    const out = join(folder, 'killed');
    for (let turn = 0; kills < count; turn++) {
      const name = Object.keys(moments)[turn % 3];
      const how = moments[name]();
      const end = await start(out, options, { ...how, env: { ...how.env, SRRL_KILL_BELOW: out } });
      if (end.signal === 'SIGKILL') {
        kills++;
        rows[name].kills++;
        if (existsSync(out)) await nothingDamaged(out);
        resumed = true;
        continue;
      }
      mustEnd(end);
      if (!weights(out).equals(weights(whole))) throw new Error(`after ${kills} kills a run ended with other weights`);
      if (resumed) rows[name].resumed++;
      rmSync(out, { recursive: true });
      [runs, resumed] = [runs + 1, false];
    }
    mustEnd(await start(out, options));
    if (!weights(out).equals(weights(whole))) throw new Error('the last run ended with other weights');
    return { ...rows, all: { kills, resumed: runs + 1 } };
  },
};

/** What has its final name is whole at every moment. */
async function nothingDamaged(out) {
  const found = await verifyFile(out).catch((error) =>
    /holds no checkpoint/.test(error.message) ? [] : Promise.reject(error),
  );
  const damaged = found.filter(({ state }) => state === 'damaged');
  if (damaged.length > 0) throw new Error(`a kill left a damaged file: ${damaged.map(({ file }) => file)}`);
}
