/** Welch's t-test: whether the means of two samples with possibly unequal variances differ. */

/** The result of the test for mean(a) - mean(b). */
export interface WelchTest {
  difference: number;
  /** The 95 % confidence interval of the difference. */
  low: number;
  high: number;
  t: number;
  /** Degrees of freedom, by Welch and Satterthwaite. */
  df: number;
  /** Two-sided p-value: the probability of a difference at least this large if the means were equal. */
  p: number;
}

/** Tests two samples of at least two values each; undefined for smaller ones, which have no variance. */
export function welchTest(a: readonly number[], b: readonly number[]): WelchTest | undefined {
  if (a.length < 2 || b.length < 2) return undefined;
  const [one, other] = [a, b].map(describe) as [Sample, Sample];
  const difference = one.mean - other.mean;
  const squared = one.error + other.error;
  const error = Math.sqrt(squared);
  if (error === 0) {
    const p = difference === 0 ? 1 : 0;
    return { difference, low: difference, high: difference, t: p === 1 ? 0 : difference / 0, df: Number.NaN, p };
  }
  const df = squared ** 2 / (one.error ** 2 / (a.length - 1) + other.error ** 2 / (b.length - 1));
  const t = difference / error;
  const margin = quantile(0.05, df) * error;
  return { difference, low: difference - margin, high: difference + margin, t, df, p: twoSided(t, df) };
}

interface Sample {
  mean: number;
  /** The squared standard error of the mean. */
  error: number;
}

function describe(values: readonly number[]): Sample {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: squares / (values.length - 1) / values.length };
}

/** P(|T| > |t|) of Student's distribution: I_x(df / 2, 1 / 2) with x = df / (df + t^2). */
const twoSided = (t: number, df: number): number => regularizedBeta(df / (df + t * t), df / 2, 0.5);

/** Returns the t whose two-sided probability is p, by bisection. */
function quantile(p: number, df: number): number {
  let [low, high] = [0, 1];
  while (twoSided(high, df) > p) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (twoSided(middle, df) > p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** I_x(a, b), the regularized incomplete beta function, by its continued fraction (DLMF 8.17.22). */
function regularizedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side; the other follows by symmetry.
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  return front / betaFraction(x, a, b);
}

/** 1 + d1 / (1 + d2 / (1 + ...)), by the modified Lentz algorithm. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  let [value, c, d] = [1, 1, 0];
  for (let n = 1; n < 10_000; n++) {
    const m = Math.floor(n / 2);
    const top = n % 2 === 0 ? m * (b - m) * x : -(a + m) * (a + b + m) * x;
    const term = top / ((a + n - 1) * (a + n));
    d = 1 / (1 + term * d || tiny);
    c = 1 + term / c || tiny;
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) < 1e-15) break;
  }
  return value;
}

/** ln Gamma(x) for x > 0: Stirling's series (DLMF 5.11.1) above 10, reached by the recurrence. */
function logGamma(x: number): number {
  let [shifted, product] = [x, 1];
  while (shifted < 10) product *= shifted++;
  const z = 1 / (shifted * shifted);
  const series = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z * (1 / 1680 - z / 1188)))) / shifted;
  return (shifted - 0.5) * Math.log(shifted) - shifted + Math.log(2 * Math.PI) / 2 + series - Math.log(product);
}
