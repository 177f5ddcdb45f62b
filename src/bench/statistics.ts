/** Medians and spreads, and comparisons of the measurements of two sides. */
import { BenchError } from '../errors.js';

export interface Summary {
  median: number;
  /** First and third quartile. */
  quartiles: [number, number];
  samples: number[];
}

/** Returns the quantile of sorted values, interpolated linearly. */
function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]] as [number, number];
  return below + (place - Math.floor(place)) * (above - below);
}

/** Returns median and quartiles of at least one sample. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    samples: [...samples],
  };
}

/** Returns our cost divided by theirs, per round: below 1 we are better, whether lower or higher values are. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[], better: 'lower' | 'higher'): number[] {
  return ours.map((mine, round) => {
    const other = theirs[round] as number;
    return better === 'lower' ? mine / other : other / mine;
  });
}

/** The allowed relative difference of each number on which both sides must agree. */
export const tolerance = 1e-3;

/**
 * Throws BenchError that names the first number on which the sides differ. `what` names the case and form of the peer.
 */
export function requireAgreement(
  what: string,
  ours: Record<string, number>,
  theirs: Record<string, number>,
  allowed = tolerance,
): void {
  for (const [name, mine] of Object.entries(ours)) {
    const other = theirs[name];
    // This form of the comparison is false for NaN, so NaN never agrees.
    const agrees = other !== undefined && Math.abs(mine - other) <= allowed * Math.max(Math.abs(mine), Math.abs(other));
    if (agrees) continue;
    throw new BenchError(
      `${what}: ${name} is ${mine} here and ${other} there, more than ${allowed} apart (relative).\nThe two sides do not do the same work, so nothing is timed.`,
    );
  }
}
