/** Medians and spreads, and what is made of two sides' measurements. */
import { BenchError } from '../errors.js';

export interface Summary {
  median: number;
  /** First and third quartile. */
  quartiles: [number, number];
  samples: number[];
}

/** The value below which a share of the sorted values lies, between two of them in proportion. */
function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]] as [number, number];
  return below + (place - Math.floor(place)) * (above - below);
}

/** Of at least one sample. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    samples: [...samples],
  };
}

/** Ours to theirs, one a round, as cost: below 1 we are better, whichever way the unit goes. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[], better: 'lower' | 'higher'): number[] {
  return ours.map((mine, round) => {
    const other = theirs[round] as number;
    return better === 'lower' ? mine / other : other / mine;
  });
}

/** Relative, of each number that both sides must agree on. */
export const tolerance = 1e-3;

/**
 * Throws BenchError naming the first number that the sides do not agree on. `what` says which case and form of the
 * peer.
 */
export function requireAgreement(
  what: string,
  ours: Record<string, number>,
  theirs: Record<string, number>,
  allowed = tolerance,
): void {
  for (const [name, mine] of Object.entries(ours)) {
    const other = theirs[name];
    // Written so that what is NaN never agrees.
    const agrees = other !== undefined && Math.abs(mine - other) <= allowed * Math.max(Math.abs(mine), Math.abs(other));
    if (agrees) continue;
    throw new BenchError(
      `${what}: ${name} is ${mine} here and ${other} there, more than ${allowed} apart (relative).\nThe two sides do not do the same work, so nothing is timed.`,
    );
  }
}
