// Runs the cases of one target from a number on: node child.mjs TARGET SEED FIRST LAST END FOLDER verbose?
// The number of the case that runs, and what was counted so far, stand in the file of descriptor 4.
import { writeSync } from 'node:fs';
import { SampleRandom } from '../../dist/data/philox.js';
import { SrrlError } from '../../dist/errors.js';
import { keepLast } from './kept.mjs';

class Random extends SampleRandom {
  pick(choices) {
    return choices[this.below(choices.length)];
  }
  once(many) {
    return this.below(many) === 0;
  }
}

const [name, folder] = [process.argv[2], process.argv[7]];
const [seed, first, last, end] = process.argv.slice(3, 7).map(Number);
const verbose = process.argv.at(-1) === 'verbose';
const state = Buffer.alloc(16);

function tell(number, counted) {
  state.writeDoubleLE(number, 0);
  state.writeDoubleLE(counted, 8);
  writeSync(4, state, 0, 16, 0);
}

/** The error and the place in this package that it comes from. */
function signature(error) {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const place = error.stack?.split('\n').find((line) => /\/dist\//.test(line)) ?? '';
  return `${error.name}: ${error.message.slice(0, 200)} ${place.trim().replace(/\(.*\/dist\//, '(dist/')}`;
}

tell(first, 0);
const { default: target } = await import(`./targets/${name}.mjs`);
const { unit, seconds = 20, memory = 3000, setup } = target;
process.send({ unit });
const run = await setup({ folder });
process.send({ seconds });
let counted = 0;
const trial = {
  note: verbose ? (text) => writeSync(1, `${text()}\n`) : () => {},
  count: (more) => {
    counted += more;
  },
};
let number = first;
for (; number < last && Date.now() < end; number++) {
  tell(number, counted);
  try {
    await run(new Random(seed, 1, number), trial);
  } catch (error) {
    if (!(error instanceof SrrlError))
      process.send({ number, error: signature(error), file: keepLast(folder, number) });
    if (verbose) console.log(error);
  }
  if (number % 50 !== 0) continue;
  // Lets the event loop turn, which frees what no scope did.
  await new Promise((resolve) => setImmediate(resolve));
  const resident = process.memoryUsage.rss() / 2 ** 20;
  if (resident > memory) {
    process.send({ number, error: `the process holds more than ${memory} MiB` });
    break;
  }
}
tell(number, counted);
process.disconnect();
