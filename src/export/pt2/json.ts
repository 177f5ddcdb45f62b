/** Writes JSON that preserves number types for Python and C++: 1.0 stays a float, 2^63 - 1 an int64. */

/** A number that is a float even if it is whole. */
export class Real {
  constructor(readonly value: number) {}
}

// Slices "to the end" use the largest int64, which a JavaScript number rounds up by one.
const largest = 2n ** 63n - 1n;

export function json(content: unknown): string {
  if (content instanceof Real) return real(content.value);
  if (typeof content === 'number') return integer(content);
  if (Array.isArray(content)) return `[${content.map(json).join(',')}]`;
  if (typeof content !== 'object' || content === null) return JSON.stringify(content);
  const entries = Object.entries(content).filter(([, value]) => value !== undefined);
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${json(value)}`).join(',')}}`;
}

function integer(value: number): string {
  if (Math.abs(value) < 2 ** 63) return BigInt(value).toString();
  return (value > 0 ? largest : -largest - 1n).toString();
}

function real(value: number): string {
  // The schema writes NaN and Inf as strings.
  if (!Number.isFinite(value)) return JSON.stringify(String(value));
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
