/**
 * No fixture holds numbers that are rounding noise, which another CPU computes differently (CONTRIBUTING.md, "Numbers
 * on every CPU").
 */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture, fixturePath } from './helpers/inputs.js';

const isNumber = (value: unknown): value is number => typeof value === 'number';
const largestOf = (value: unknown): number => {
  if (isNumber(value)) return Math.abs(value);
  return Math.max(0, ...Object.values((value ?? {}) as object).map(largestOf));
};

/** Paths of tensors that are tiny as a whole, and of gradients that vanish next to the others of their loss. */
function noise(value: unknown, path = ''): string[] {
  if (isNumber(value) || (Array.isArray(value) && value.every(isNumber))) {
    const largest = largestOf(value);
    return largest > 0 && largest < 1e-12 ? [path] : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.entries(value).flatMap(([key, one]) => noise(one, `${path}.${key}`));
  if (!/\.gradient(s|Norms)$/.test(path)) return inner;
  const floor = 1e-9 * largestOf(value);
  return [
    ...inner,
    ...Object.keys(value)
      .filter((key) => largestOf(value[key as never]) < floor)
      .map((key) => `${path}.${key}`),
  ];
}

const names = readdirSync(dirname(fixturePath('nn'))).flatMap((file) => file.match(/^(.*)\.json$/)?.[1] ?? []);
describe.each(names)('%s.json', (name) => {
  it('holds no rounding noise', () => expect(noise(fixture(name))).toEqual([]));
});

it('finds noise', () => {
  expect(noise({ a: [0, 1e-17], b: 3e-13, c: [0, 0], d: [1, 1e-17], gradients: { far: [1e-10], near: 2 } })).toEqual([
    '.a',
    '.b',
    '.gradients.far',
  ]);
});
