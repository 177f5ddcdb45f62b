/** JSON whose numbers Python and C++ read back as the kind that they are: 1.0 stays a float, 2^63 - 1 an int64. */

/** A number that is a float even where it is whole. */
export class Real {
  constructor(readonly value: number) {}
}

// "To the end" is the largest int64, which is one more as a JavaScript number.
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
  // As the schema writes them.
  if (!Number.isFinite(value)) return JSON.stringify(String(value));
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
