import { DataError } from '../../errors.js';
import { z } from '../../options.js';
import type { DatasetKind, ImageSet } from '../dataset.js';
import { SampleRandom } from '../philox.js';
import { sourceOptions } from '../source-options.js';

const size = 32;

/** Whether a point is inside a shape, in coordinates where the shape spans about -1..1; y points down. */
type Inside = (x: number, y: number) => boolean;

const polygon = (corners: number, inner: number): Inside => {
  // A regular polygon, or a star if inner < 1: its boundary is a chain of straight edges around the center.
  const points = Array.from({ length: inner < 1 ? corners * 2 : corners }, (_, i) => {
    const radius = inner < 1 && i % 2 === 1 ? inner : 1;
    const angle = (2 * Math.PI * i) / (inner < 1 ? corners * 2 : corners) - Math.PI / 2;
    return [radius * Math.cos(angle), radius * Math.sin(angle)] as const;
  });
  return (x, y) => {
    let inside = false;
    let before = points.at(-1) as readonly [number, number];
    for (const point of points) {
      const [[x1, y1], [x2, y2]] = [before, point];
      if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
      before = point;
    }
    return inside;
  };
};

const square = (x: number, y: number, half: number) => Math.abs(x) < half && Math.abs(y) < half;

const shapes: Record<string, Inside> = {
  disk: (x, y) => x * x + y * y < 0.8,
  ring: (x, y) => x * x + y * y < 0.95 && x * x + y * y > 0.35,
  square: (x, y) => square(x, y, 0.8),
  frame: (x, y) => square(x, y, 0.85) && !square(x, y, 0.5),
  triangle: polygon(3, 1),
  pentagon: polygon(5, 1),
  hexagon: polygon(6, 1),
  star: polygon(5, 0.42),
  plus: (x, y) => (Math.abs(x) < 0.28 && Math.abs(y) < 0.95) || (Math.abs(y) < 0.28 && Math.abs(x) < 0.95),
  crescent: (x, y) => x * x + y * y < 0.9 && (x - 0.45) ** 2 + y * y > 0.6,
  hourglass: (x, y) => Math.abs(y) < 0.9 && Math.abs(x) < Math.abs(y),
  bars: (x, y) => square(x, y, 0.9) && Math.abs(y) > 0.3,
};

const names = Object.keys(shapes);

type Color = [number, number, number];
const color = (random: SampleRandom, from = 30, to = 225): Color => [
  random.uniform(from, to),
  random.uniform(from, to),
  random.uniform(from, to),
];
const contrast = (a: Color, b: Color) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

/** The distance from its center that no shape exceeds: the corners of the bars are at 1.28. */
const reach = 1.28;
/** Sample points within a pixel that are tested against the shape. */
const inPixel = [
  [0.25, 0.25],
  [0.75, 0.25],
  [0.25, 0.75],
  [0.75, 0.75],
] as const;

/**
 * Draws one sample into `image` ([3, 32, 32]): a rotated shape at a random position, on a shaded, noisy background with
 * strokes.
 */
function draw(image: Uint8Array, inside: Inside, random: SampleRandom, isEasy: boolean): void {
  // Easy images have a large light shape on a dark background without strokes.
  const ground = isEasy ? color(random, 20, 100) : color(random);
  let paint = isEasy ? color(random, 150, 235) : color(random);
  while (contrast(paint, ground) < 140) paint = isEasy ? color(random, 150, 235) : color(random);
  const radius = random.uniform(isEasy ? 10 : 8, 13);
  const [cx, cy] = [random.uniform(radius, size - radius), random.uniform(radius, size - radius)];
  const angle = random.uniform(-0.3, 0.3);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const shade = [random.uniform(-35, 35), random.uniform(-35, 35)] as const;
  const noise = random.uniform(2, 10);
  const strokes = Array.from({ length: isEasy ? 0 : random.below(2) }, () => {
    const turn = random.uniform(0, Math.PI);
    return {
      nx: Math.cos(turn),
      ny: Math.sin(turn),
      at: random.uniform(-14, 14),
      half: random.uniform(0.5, 1.3),
      color: color(random),
    };
  });

  for (let py = 0; py < size; py++) {
    for (let px = 0; px < size; px++) {
      let covered = 0;
      for (const [dx, dy] of inPixel) {
        const x = (px + dx - cx) / radius;
        const y = (py + dy - cy) / radius;
        if (x * x + y * y < reach ** 2 && inside(cos * x + sin * y, cos * y - sin * x)) covered += 0.25;
      }
      const stroke = strokes.find(
        ({ nx, ny, at, half }) => Math.abs((px - size / 2) * nx + (py - size / 2) * ny - at) < half,
      );
      for (let channel = 0; channel < 3; channel++) {
        const shaded = (ground[channel] as number) + shade[0] * (px / size - 0.5) + shade[1] * (py / size - 0.5);
        const painted = stroke
          ? (stroke.color[channel] as number)
          : covered * (paint[channel] as number) + (1 - covered) * shaded;
        image[channel * size * size + py * size + px] = Math.max(
          0,
          Math.min(255, Math.round(painted + random.uniform(-noise, noise))),
        );
      }
    }
  }
}

/** Generates `count` samples; labels cycle through the classes. Train and test use different streams of one seed. */
export function drawShapes(seed: number, split: 'train' | 'test', count: number, isEasy = false): ImageSet {
  const images = new Uint8Array(count * 3 * size * size);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const label = i % names.length;
    labels[i] = label;
    const image = images.subarray(i * 3 * size * size, (i + 1) * 3 * size * size);
    draw(image, shapes[names[label] as string] as Inside, new SampleRandom(seed, split === 'train' ? 0 : 1, i), isEasy);
  }
  return { images, labels };
}

const seed = 2021;
const options = z.strictObject({
  test: z.coerce.number().int().min(1).max(1_000_000).default(1200).describe('images to test with'),
  level: z.enum(['hard', 'easy']).default('hard').describe('easy: large light shapes on dark grounds, without strokes'),
});

export const shapesKind: DatasetKind = {
  kind: 'shapes',
  usage: 'shapes[:N[?test=M&level=easy]]',
  summary: `drawn from a seed, 32x32 color, ${names.length} classes, N training images (default 2000), M to test with (default 1200)`,
  options,
  async open(path) {
    const { place, options: chosen } = sourceOptions('shapes', path, options);
    const count = place === '' ? 2000 : Number(place);
    if (!(Number.isInteger(count) && count >= names.length && count <= 1_000_000)) {
      throw new DataError(`shapes:${path} is not valid: N must be a whole number from ${names.length} to 1000000.`);
    }
    const isEasy = chosen.level === 'easy';
    return {
      source: path === '' ? 'shapes' : `shapes:${path}`,
      classes: names,
      channels: 3,
      height: size,
      width: size,
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      augment: { pad: 2, flip: true },
      train: drawShapes(seed, 'train', count, isEasy),
      test: drawShapes(seed, 'test', chosen.test, isEasy),
    };
  },
};
