// Everything that parses bytes: the readers of test/fuzz/targets.ts, guided by coverage. Bytes that reach new code are
// changed further, so that a case follows from the cases before it; what fails is kept as a file.
import { mkdirSync, writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { join } from 'node:path';
import { SrrlError } from '../../../dist/errors.js';
import { Coverage } from '../coverage.mjs';

// What is loaded before counts nothing.
register('../coverage-hook.mjs', import.meta.url);
const { default: torch } = await import('../../../dist/torch.js');
const { targets } = await import('../../../test/fuzz/targets.ts');
const { mutated } = await import('../../../test/helpers/mutate.ts');

/** Files of this many bytes are not made longer. */
const longest = 2 ** 16;
/** Files that a reader keeps for further changes; older ones make way. */
const most = 2000;

class Reader {
  coverage = new Coverage();
  corpus = [];
  spent = 0;

  constructor(target, folder) {
    this.target = target;
    this.folder = join(folder, target.name.replace(/\W/g, '-'));
    mkdirSync(this.folder, { recursive: true });
  }

  async begin() {
    for (const bytes of await this.target.samples(this.folder)) {
      // Some samples are refused.
      await this.attempt(bytes).catch((error) => {
        if (!(error instanceof SrrlError)) throw error;
      });
    }
    if (this.corpus.length === 0) throw new Error(`no sample of ${this.target.name} reaches code that counts`);
  }

  /** A file of the corpus or, once in four, the beginning of one and the end of another; changed. */
  next(random) {
    const { corpus, target } = this;
    const one = random.pick(corpus);
    const other = random.pick(corpus);
    const cut = random.once(4) ? random.below(Math.min(one.length, other.length) + 1) : one.length;
    const joined = cut === one.length ? one : Buffer.concat([one.subarray(0, cut), other.subarray(cut)]);
    const bytes = mutated(joined.subarray(0, longest), random.below(2 ** 30), random.below(2 ** 30));
    return target.repair && random.once(2) ? target.repair(bytes) : bytes;
  }

  async attempt(bytes) {
    const { target, folder, coverage, corpus } = this;
    const path = join(folder, target.file);
    writeFileSync(path, bytes);
    const before = torch.memory().tensors;
    coverage.clear();
    try {
      await torch.asyncScope(async () => {
        await target.read(path, folder);
      });
    } finally {
      if (coverage.news() > 0) corpus.push(bytes);
      if (corpus.length > most) corpus.shift();
    }
    if (torch.memory().tensors > before) throw new Error(`${target.name}: a tensor is left`);
  }
}

export default {
  unit: 'bytes',
  async setup({ folder }) {
    const readers = targets.map((target) => new Reader(target, folder));
    for (const reader of readers) await reader.begin();
    return async (random, trial) => {
      // Each reader has the same time: there are a hundred numpy headers for one photo.
      const reader = readers.reduce((least, other) => (other.spent < least.spent ? other : least));
      const began = performance.now();
      const bytes = reader.next(random);
      trial.count(bytes.length);
      trial.note(() => reader.target.name);
      try {
        await reader.attempt(bytes);
      } finally {
        reader.spent += performance.now() - began;
      }
    };
  },
};
