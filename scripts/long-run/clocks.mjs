// Runs on a clock that is wrong or jumps (libfaketime): they end with the same bits, and what they say of time is true.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustEnd, start, weights } from './kills.mjs';

const library = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', '/usr/lib/faketime/libfaketime.so.1'].find(
  (path) => existsSync(path),
);

/** How far the clock is from the right one: in the beginning, and from half a second after the first checkpoint on. */
const cases = {
  'ten years ahead': ['+3650d', '+3650d'],
  'ten years behind': ['-3650d', '-3650d'],
  'jumps a day ahead': ['+0', '+1d'],
  'jumps a day back': ['+0', '-1d'],
  'jumps ahead and back': ['+5d', '-5d'],
};
const options = { epochs: 4, checkpointSteps: 2, timeBudget: 30 };

export default {
  count: 1,
  promise: () => 'wrong and jumping clocks; runs end, resume and measure time as on a right one',
  async run({ folder }) {
    if (!library) throw new Error('libfaketime is missing: apt-get install faketime');
    const whole = join(folder, 'whole');
    mustEnd(await start(whole, options));
    const rows = {};
    for (const [name, [before, after]] of Object.entries(cases)) {
      rows[name] = {};
      for (const resumed of [false, true]) {
        const out = join(folder, `${name}-${resumed}`);
        mkdirSync(out);
        const clock = join(folder, 'clock');
        writeFileSync(clock, before);
        // The monotonic clock of a real machine does not jump either.
        const env = {
          ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1' },
          ...{ FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' },
        };
        const began = performance.now();
        const hear = (child) => setTimeout(() => (resumed ? child.kill('SIGKILL') : writeFileSync(clock, after)), 2500);
        const first = await start(out, options, { env, hear });
        writeFileSync(clock, after);
        const end = mustEnd(resumed && first.signal ? await start(out, options, { env }) : first);
        const wall = (performance.now() - began) / 1000;
        const seconds = [end.seconds, end.estimate, ...end.epochs.map((epoch) => epoch.seconds)];
        if (end.stopped !== undefined) throw new Error(`${name}: the run stopped early, ${end.stopped}`);
        if (!seconds.every((value) => value >= 0) || end.seconds > wall)
          throw new Error(`${name}: seconds ${seconds} within ${wall}`);
        if (!weights(out).equals(weights(whole))) throw new Error(`${name}: other weights`);
        rows[name][resumed ? 'killed and resumed' : 'one run'] = `ends, ${end.seconds.toFixed(1)} s said`;
        rmSync(out, { recursive: true });
      }
    }
    return rows;
  },
};
