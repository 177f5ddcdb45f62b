/** The line search of L-BFGS: a step length that satisfies the strong Wolfe conditions. */
import type { Tensor } from '../tensor/index.js';

/** Value and slope of the loss at a step length. */
interface Point {
  length: number;
  loss: number;
  gradient: Tensor;
  slope: number;
}

interface Start {
  loss: number;
  gradient: Tensor;
  slope: number;
  /** Intervals shorter than this, in parameters, end the search. */
  toleranceChange: number;
  /** Evaluations after the first, at most. */
  maxSteps: number;
}

/** Sufficient decrease and curvature (Nocedal and Wright 2006, section 3.1). */
const [c1, c2] = [1e-4, 0.9];

/**
 * Nocedal and Wright 2006, algorithms 3.5 and 3.6, with torch.optim's interpolation and bounds: first a bracket, then
 * shorter and shorter ones. `evaluate` returns loss and gradient at a step length.
 */
export function strongWolfe(
  evaluate: (length: number) => { loss: number; gradient: Tensor },
  length: number,
  direction: Tensor,
  start: Start,
): { loss: number; gradient: Tensor; length: number; evaluations: number } {
  const { maxSteps, toleranceChange } = start;
  let evaluations = 0;
  const largest = Number(direction.abs().max().item());
  const at = (place: number): Point => {
    evaluations++;
    const { loss, gradient } = evaluate(place);
    return { length: place, loss, gradient, slope: Number(gradient.dot(direction).item()) };
  };
  const decreases = ({ length: t, loss }: Point) => loss <= start.loss + c1 * t * start.slope;
  const isFlat = ({ slope }: Point) => Math.abs(slope) <= -c2 * start.slope;
  const finish = ({ loss, gradient, length: t }: Point) => ({ loss, gradient, length: t, evaluations });

  let before: Point = { ...start, length: 0 };
  let point = at(length);
  let bracket: [Point, Point] | undefined;
  let steps = 0;
  for (; steps < maxSteps; steps++) {
    if (!decreases(point) || (steps > 1 && point.loss >= before.loss)) bracket = [before, point];
    else if (isFlat(point)) return finish(point);
    else if (point.slope >= 0) bracket = [before, point];
    if (bracket) break;
    const least = point.length + 0.01 * (point.length - before.length);
    const next = minimumOfCubic(before, point, [least, point.length * 10]);
    before = point;
    point = at(next);
  }
  bracket ??= [{ ...start, length: 0 }, point];
  return finish(zoom(bracket, at, { decreases, isFlat, largest, toleranceChange, maxSteps, steps }));
}

interface Conditions {
  decreases(point: Point): boolean;
  isFlat(point: Point): boolean;
  largest: number;
  toleranceChange: number;
  maxSteps: number;
  steps: number;
}

/** Narrows an interval that holds a good length, and returns its better end. */
function zoom(bracket: [Point, Point], at: (length: number) => Point, conditions: Conditions): Point {
  let [low, high] = bracket[0].loss <= bracket[1].loss ? bracket : [bracket[1], bracket[0]];
  let insufficient = false;
  for (let { steps } = conditions; steps < conditions.maxSteps; steps++) {
    const [first, last] = [low.length, high.length].sort((a, b) => a - b) as [number, number];
    if ((last - first) * conditions.largest < conditions.toleranceChange) break;
    let next = minimumOfCubic(low, high, [first, last]);
    // A step that stays near an end twice, or at it, moves away from that end by a tenth.
    const margin = 0.1 * (last - first);
    if (Math.min(last - next, next - first) < margin) {
      if (insufficient || next >= last || next <= first) {
        next = Math.abs(next - last) < Math.abs(next - first) ? last - margin : first + margin;
        insufficient = false;
      } else insufficient = true;
    } else insufficient = false;

    const point = at(next);
    if (!conditions.decreases(point) || point.loss >= low.loss) {
      high = point;
      if (low.loss > high.loss) [low, high] = [high, low];
      continue;
    }
    if (conditions.isFlat(point)) return point;
    if (point.slope * (high.length - low.length) >= 0) high = low;
    low = point;
  }
  return low;
}

/**
 * Where the cubic through two points with their slopes is least, within bounds; their middle where it has no minimum.
 */
function minimumOfCubic(one: Point, other: Point, [least, most]: [number, number]): number {
  const [a, b] = one.length <= other.length ? [one, other] : [other, one];
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.length - b.length);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (least + most) / 2;
  const d2 = Math.sqrt(square);
  const minimum = b.length - (b.length - a.length) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
  return Math.min(Math.max(minimum, least), most);
}
