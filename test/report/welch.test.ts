import { describe, expect, it } from 'vitest';
import { type WelchTest, welchTest } from '../../src/report/welch.js';
import { fixture } from '../helpers/inputs.js';

type Case = Omit<WelchTest, 'difference'> & { a: number[]; b: number[] };

const relative = (ours: number, theirs: number) => Math.abs(ours - theirs) / Math.max(Math.abs(theirs), 1e-3);

describe("Welch's t-test", () => {
  it.each(fixture<Case[]>('welch').map((one, i) => [i, one] as const))('is scipy’s: %i', (_, { a, b, ...theirs }) => {
    const ours = welchTest(a, b) as WelchTest;
    for (const name of ['t', 'df', 'p', 'low', 'high'] as const)
      expect(relative(ours[name], theirs[name]), name).toBeLessThan(1e-9);
  });

  it('is symmetric', () => {
    const [one, other] = [welchTest([1, 2, 4], [3, 5, 4]), welchTest([3, 5, 4], [1, 2, 4])];
    expect([one?.t, one?.low, one?.p]).toEqual([-(other?.t ?? 0), -(other?.high ?? 0), other?.p]);
  });

  it('needs two values of each, and knows samples without spread', () => {
    expect(welchTest([1], [2, 3])).toBeUndefined();
    expect(welchTest([1, 1], [1, 1])).toMatchObject({ difference: 0, p: 1 });
    expect(welchTest([2, 2], [1, 1])).toMatchObject({ difference: 1, low: 1, p: 0 });
  });
});
