// A run that is stopped and continued (SIGSTOP, SIGCONT), as by Ctrl-Z or a laptop's lid, ends as one that was not.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mustEnd, start, weights } from './kills.mjs';

export default {
  count: 10,
  promise: (count) => `${count} times SIGSTOP and SIGCONT in a run; it ends with the same bits`,
  async run({ count, folder }) {
    const options = { epochs: 6 };
    const whole = join(folder, 'whole');
    mustEnd(await start(whole, options));
    const rows = { stopped: 0, runs: 0 };
    while (rows.stopped < count) {
      const out = join(folder, `stopped-${rows.runs++}`);
      let alive = true;
      const hear = async (child) => {
        child.once('exit', () => (alive = false));
        await sleep(1500);
        while (alive) {
          child.kill('SIGSTOP');
          await sleep(400);
          if (!child.kill('SIGCONT') || !alive) break;
          rows.stopped++;
          await sleep(300);
        }
      };
      mustEnd(await start(out, options, { hear }));
      if (!weights(out).equals(weights(whole))) throw new Error('a run that was stopped ended with other weights');
    }
    return { signals: rows };
  },
};
