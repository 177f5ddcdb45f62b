// Whether memory grows: a straight line through the second half of the samples.

/** Bytes (or tensors) that one more `at` costs, by least squares. */
function slopeOf(samples, key) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(samples.map(({ at }) => at)), mean(samples.map((sample) => sample[key]))];
  const above = samples.reduce((sum, sample) => sum + (sample.at - x) * (sample[key] - y), 0);
  return above / samples.reduce((sum, { at }) => sum + (at - x) ** 2, 0);
}

/** What an allocator keeps for itself varies by this much. */
const noise = { rss: 16 * 2 ** 20, heapUsed: 4 * 2 ** 20, external: 2 ** 20, tensors: 0.5 };

/**
 * A row for each kind of memory: at the first quarter, the half and the end, and how much the second half grew by the
 * slope. Throws where that is more than noise.
 */
export function slopes(samples, unit) {
  const half = samples.slice(samples.length >> 1);
  const rows = {};
  for (const [key, allowed] of Object.entries(noise)) {
    const inUnits = (value) => (key === 'tensors' ? value : Number((value / 2 ** 20).toFixed(1)));
    const slope = slopeOf(half, key);
    const grown = slope * ((half.at(-1)?.at ?? 0) - (half[0]?.at ?? 0));
    rows[key === 'tensors' ? key : `${key}, MiB`] = {
      [`${samples[samples.length >> 2].at} ${unit}s`]: inUnits(samples[samples.length >> 2][key]),
      [`${half[0].at} ${unit}s`]: inUnits(half[0][key]),
      [`${half.at(-1).at} ${unit}s`]: inUnits(half.at(-1)[key]),
      [`bytes a ${unit}`]: Number(slope.toFixed(2)),
    };
    if (grown > allowed) {
      console.table(rows);
      throw new Error(`${key} grows by ${slope.toFixed(1)} a ${unit}`);
    }
  }
  return rows;
}
