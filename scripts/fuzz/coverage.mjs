// What a run of code reached that no run before it had: the counters that scripts/fuzz/coverage-hook.mjs puts into it.

/** Runs that differ only in how often a loop turned are alike within these bounds, as libFuzzer has them. */
const bounds = [1, 2, 3, 4, 8, 16, 32, 128];

const bucketOf = (count) => {
  let bucket = 0;
  while (bucket < bounds.length && count >= bounds[bucket]) bucket++;
  return 1 << (bucket - 1);
};

/** The arrays and objects that count, with their keys, by file. More files are loaded while the fuzzer runs. */
const files = [];
function refresh() {
  const all = Object.values(globalThis.__coverage__ ?? {});
  for (const { s, b } of all.slice(files.length))
    files.push([
      ...Object.keys(s).map((key) => [s, key]),
      ...Object.values(b).flatMap((branch) => branch.map((_, i) => [branch, i])),
    ]);
}

export class Coverage {
  /** For each file that was reached: what its counters were brought to. */
  #seen = new Map();
  #runs = 0;

  /** Begins a run. */
  clear() {
    refresh();
    for (const file of this.#watched()) for (const [counts, key] of files[file]) counts[key] = 0;
  }

  /** How many counters the run since `clear` brought to where no run had brought them. */
  news() {
    refresh();
    let found = 0;
    for (const file of this.#watched()) found += this.#newsIn(file);
    this.#runs++;
    return found;
  }

  #newsIn(file) {
    let found = 0;
    const counters = files[file];
    for (let i = 0; i < counters.length; i++) {
      const [counts, key] = counters[i];
      const count = counts[key];
      if (count === 0) continue;
      const bucket = bucketOf(count);
      const seen = this.#seen.get(file) ?? new Uint8Array(counters.length);
      if ((seen[i] & bucket) !== 0) continue;
      seen[i] |= bucket;
      this.#seen.set(file, seen);
      found++;
    }
    return found;
  }

  /** All files now and then, as one takes a millisecond; else those that this reader was seen in. */
  #watched() {
    return this.#runs < 20 || this.#runs % 100 === 0 ? files.keys() : this.#seen.keys();
  }
}
