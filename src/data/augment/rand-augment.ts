import { z } from '../../options.js';
import type { Tensor } from '../../tensor/index.js';
import { roundHalfEven } from '../crop.js';
import { SampleRandom, streams } from '../philox.js';
import { type AffineMap, affine, inverseMatrix } from './affine.js';
import { adjustBrightness, adjustContrast, adjustSaturation } from './color.js';
import type { Augmentation, DrawnImage, Parameters } from './rows.js';
import { adjustSharpness, autocontrast, equalize, posterize, solarize } from './tone.js';

const bins = 31;

export const randAugmentOptions = z.strictObject({
  n: z.int().min(1).default(2).describe('operators an image'),
  m: z
    .int()
    .min(0)
    .max(bins - 1)
    .default(9)
    .describe('strength, 0 to 30'),
});
export type RandAugmentOptions = z.output<typeof randAugmentOptions>;

interface Operator {
  /** The magnitude at bin `m` for images of this size. */
  magnitude(m: number, height: number, width: number): number;
  /** Whether the magnitude is negated with probability 1/2. */
  signed: boolean;
  /** The numbers passed to `apply` for a magnitude, at most {@link mostNumbers}; by default the magnitude alone. */
  numbers?(magnitude: number, height: number, width: number): number[];
  apply(images: Tensor, numbers: Parameters): Tensor;
}

const mostNumbers = 6;
const upTo = (most: number) => (m: number) => (most * m) / (bins - 1);
const degrees = (slope: number) => (Math.atan(slope) * 180) / Math.PI;

const applyMap = (images: Tensor, numbers: Parameters) => affine(images, numbers.columns(0, 6));
const mapped = (map: (magnitude: number) => AffineMap) => ({
  numbers: (magnitude: number, height: number, width: number) => inverseMatrix(map(magnitude), height, width),
  apply: applyMap,
});
const adjusted = (adjust: (images: Tensor, factor: Tensor) => Tensor) => ({
  numbers: (magnitude: number) => [1 + magnitude],
  apply: (images: Tensor, numbers: Parameters) => adjust(images, numbers.column(0)),
});
const signed = true;
const asItIs = (images: Tensor) => images;

/** torchvision's augmentation space and magnitudes. */
export const operators: Record<string, Operator> = {
  identity: { magnitude: () => 0, signed: false, apply: asItIs },
  shearX: { magnitude: upTo(0.3), signed, ...mapped((m) => ({ shear: [degrees(m), 0], center: [0, 0] })) },
  shearY: { magnitude: upTo(0.3), signed, ...mapped((m) => ({ shear: [0, degrees(m)], center: [0, 0] })) },
  translateX: {
    magnitude: (m, _, width) => upTo((150 / 331) * width)(m),
    signed,
    ...mapped((m) => ({ translate: [Math.trunc(m), 0] })),
  },
  translateY: {
    magnitude: (m, height) => upTo((150 / 331) * height)(m),
    signed,
    ...mapped((m) => ({ translate: [0, Math.trunc(m)] })),
  },
  // rotate() turns counter-clockwise.
  rotate: { magnitude: upTo(30), signed, ...mapped((m) => ({ angle: -m })) },
  brightness: { magnitude: upTo(0.9), signed, ...adjusted(adjustBrightness) },
  color: { magnitude: upTo(0.9), signed, ...adjusted(adjustSaturation) },
  contrast: { magnitude: upTo(0.9), signed, ...adjusted(adjustContrast) },
  sharpness: { magnitude: upTo(0.9), signed, ...adjusted(adjustSharpness) },
  posterize: {
    magnitude: (m) => 8 - roundHalfEven((4 * m) / (bins - 1)),
    signed: false,
    numbers: (bits) => [2 ** bits],
    apply: (images, levels) => posterize(images, levels.column(0)),
  },
  solarize: {
    magnitude: (m) => 1 - m / (bins - 1),
    signed: false,
    apply: (images, thresholds) => solarize(images, thresholds.column(0)),
  },
  autoContrast: { magnitude: () => 0, signed: false, apply: autocontrast },
  equalize: { magnitude: () => 0, signed: false, apply: equalize },
};

/** Returns the numbers passed to an operator's `apply`. */
export const operatorNumbers = (
  { numbers = (one) => [one] }: Operator,
  magnitude: number,
  height: number,
  width: number,
): number[] => numbers(magnitude, height, width);

const names = Object.keys(operators);
/** The distinct functions of all operators: the affine ones share one, so they run as a single operation. */
const branches = [...new Set(names.map((name) => (operators[name] as Operator).apply))];

/**
 * torchvision's RandAugment: applies `n` random operators of magnitude `m` to each image, with nearest-neighbor
 * sampling and black outside.
 */
export function randAugment({ n, m }: RandAugmentOptions): Augmentation {
  const columns = 1 + mostNumbers;
  const known = new Map<string, readonly number[]>();
  /** Returns the columns of an operator with this sign, which depend only on the image size. */
  const columnsOf = (name: string, sign: 1 | -1, { height, width }: DrawnImage) => {
    const key = `${name} ${sign} ${height} ${width}`;
    const found = known.get(key);
    if (found) return found;
    const operator = operators[name] as Operator;
    const magnitude = operator.magnitude(m, height, width) * (operator.signed ? sign : 1);
    const numbers = operatorNumbers(operator, magnitude, height, width);
    const rest = new Array<number>(mostNumbers - numbers.length).fill(0);
    const made = [branches.indexOf(operator.apply), ...numbers, ...rest];
    known.set(key, made);
    return made;
  };
  return {
    columns: n * columns,
    draw(drawn) {
      const { seed, epoch, image } = drawn;
      const random = new SampleRandom(seed, streams.randAugment, image, epoch);
      const all: number[] = [];
      for (let layer = 0; layer < n; layer++) {
        const name = names[random.below(names.length)] as string;
        all.push(...columnsOf(name, random.below(2) ? 1 : -1, drawn));
      }
      return all;
    },
    apply(images, parameters) {
      let result = images;
      for (let layer = 0; layer < n; layer++) {
        const own = parameters.from(layer * columns);
        for (const [branch, apply] of branches.entries())
          if (apply !== asItIs) result = own.where(0, branch, result, (some, theirs) => apply(some, theirs.from(1)));
      }
      return result;
    },
  };
}
