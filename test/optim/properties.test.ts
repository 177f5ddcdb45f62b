/** What holds of all schedules, whatever their numbers are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { optim } from '../../src/torch.js';

type LRScheduler = optim.LRScheduler;
type Scheduled = optim.Scheduled;

const lr = fc.double({ min: 1e-5, max: 10, noNaN: true });
const share = fc.double({ min: 0.01, max: 1, noNaN: true });
const steps = fc.integer({ min: 1, max: 60 });
const optimizer = (...lrs: number[]): Scheduled => ({ paramGroups: lrs.map((value) => ({ lr: value })) });

type Make = (of: Scheduled) => LRScheduler;
const schedules: Record<string, fc.Arbitrary<Make>> = {
  CosineAnnealingLR: fc.tuple(steps, share).map(
    ([length, low]): Make =>
      (of) =>
        new optim.CosineAnnealingLR(of, { tMax: length, etaMin: low * 1e-5 }),
  ),
  ExponentialLR: share.map(
    (gamma): Make =>
      (of) =>
        new optim.ExponentialLR(of, { gamma }),
  ),
  StepLR: fc.tuple(steps, share).map(
    ([size, gamma]): Make =>
      (of) =>
        new optim.StepLR(of, { stepSize: size, gamma }),
  ),
  MultiStepLR: fc.tuple(fc.uniqueArray(steps, { maxLength: 4 }), share).map(
    ([milestones, gamma]): Make =>
      (of) =>
        new optim.MultiStepLR(of, { milestones: [...milestones].sort((a, b) => a - b), gamma }),
  ),
  PolynomialLR: fc.tuple(steps, fc.integer({ min: 1, max: 4 })).map(
    ([totalIters, power]): Make =>
      (of) =>
        new optim.PolynomialLR(of, { totalIters, power }),
  ),
  LinearLR: fc.tuple(steps, share).map(
    ([totalIters, startFactor]): Make =>
      (of) =>
        new optim.LinearLR(of, { totalIters, startFactor }),
  ),
  ConstantLR: fc.tuple(steps, share).map(
    ([totalIters, factor]): Make =>
      (of) =>
        new optim.ConstantLR(of, { totalIters, factor }),
  ),
};

describe.each(Object.entries(schedules))('%s', (_name, arbitrary) => {
  const along = (make: Make, lrs: number[], count: number) => {
    const of = optimizer(...lrs);
    const schedule = make(of);
    const path = [schedule.getLastLr()];
    for (let i = 0; i < count; i++) {
      schedule.step();
      path.push(schedule.getLastLr());
    }
    return path;
  };

  it('stays between 0 and the rate that it began with', () => {
    fc.assert(
      fc.property(arbitrary, lr, (make, base) => {
        for (const [rate] of along(make, [base], 80) as [number][]) {
          expect(rate).toBeGreaterThanOrEqual(0);
          expect(rate).toBeLessThanOrEqual(base * (1 + 1e-12));
        }
      }),
    );
  });

  it('is at a step what it would be without the steps before: a resumed run has the same rates', () => {
    fc.assert(
      fc.property(arbitrary, lr, fc.nat(70), (make, base, at) => {
        const resumed = optimizer(base);
        make(resumed).goTo(at);
        expect([resumed.paramGroups[0]?.lr]).toEqual(along(make, [base], at).at(-1));
      }),
    );
  });

  it('treats each group as if it were alone', () => {
    fc.assert(
      fc.property(arbitrary, lr, lr, (make, a, b) => {
        const both = along(make, [a, b], 20);
        expect(both.map(([first]) => [first])).toEqual(along(make, [a], 20));
        expect(both.map(([, second]) => [second])).toEqual(along(make, [b], 20));
      }),
    );
  });
});
