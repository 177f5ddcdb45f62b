// Loaded in front of a run (--import): ends the process as a power cut would, at one of its calls to the file system.
// SRRL_KILL_AT is the number of the call; SRRL_KILL_CALL names the only one that counts, such as renameSync.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { threadId } from 'node:worker_threads';

const at = Number(process.env.SRRL_KILL_AT);
const only = process.env.SRRL_KILL_CALL;
let calls = 0;
const dies = (name, args) => {
  // Files of the run alone.
  const opened = typeof args[0] === 'number' || String(args[0]).includes(process.env.SRRL_KILL_BELOW);
  return opened && (only === undefined || only === name) && ++calls === at;
};
const end = () => process.kill(process.pid, 'SIGKILL');

for (const name of ['writeSync', 'writeFileSync', 'appendFileSync', 'renameSync', 'fsyncSync', 'openSync', 'rmSync']) {
  const original = fs[name];
  fs[name] = (...args) => {
    if (!dies(name, args)) return original(...args);
    // The first half of what is written; of anything else, the whole.
    if (name === 'writeSync' && typeof args[1] !== 'string')
      original(args[0], args[1].subarray(0, args[1].byteLength >> 1));
    else if (at % 2 === 0) original(...args);
    end();
    // The signal comes at once, to this thread or another.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000 + threadId);
    return undefined;
  };
}
syncBuiltinESMExports();
