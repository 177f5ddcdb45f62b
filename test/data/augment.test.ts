import { describe, expect, it } from 'vitest';
import { adjustHue } from '../../src/data/augment/color.js';
import { beta, type Mix, mix, mixNumbers } from '../../src/data/augment/mix.js';
import { operatorNumbers, operators } from '../../src/data/augment/rand-augment.js';
import { erase } from '../../src/data/augment/random-erasing.js';
import { cropAndResize } from '../../src/data/augment/resized-crop.js';
import { hostParameters, perImage, rectangleNumbers } from '../../src/data/augment/rows.js';
import { SampleRandom } from '../../src/data/philox.js';
import torch, { type Tensor } from '../../src/torch.js';
import { fixture, ramp } from '../helpers/inputs.js';

interface Case {
  magnitudes: number[];
  result: number[];
}
type Corner = [top: number, left: number, height: number, width: number];

const theirs = fixture<{
  operators: Record<string, Case>;
  posterize: Case;
  equalize: Case;
  hue: { factors: number[]; result: number[] };
  crop: { boxes: Corner[]; result: number[] };
  erase: { boxes: Corner[]; result: number[] };
}>('augment');

const shape = [2, 3, 7, 9];

/** The images of test/fixtures/make/augment.py. */
function images(): Tensor {
  const made = ramp(shape, { scale: 0.5, offset: 0.5, step: 577 }).to('float32').clamp(0, 1);
  const gray = made.select(0, 0).narrow(1, 2, 1);
  gray.copy_(gray.narrow(0, 0, 1).clone().expand([3, 1, 9]));
  made.select(0, 1).select(0, 1).fill_(0.25);
  return made;
}

/** The bytes of the images, as torchvision converts floats, again as floats. */
const bytes = () => images().mul(255.999).to('uint8').to('float32').div(255);

function difference(actual: Tensor, expected: number[]): number {
  const values = torch.fromArray(Float32Array.from(expected), shape);
  return Number(actual.sub(values).abs().max().item());
}

const rectangle = ([top, left, height, width]: Corner) => ({ top, left, height, width });

/** What an operator makes of images, each with a magnitude of its own. */
function applied(name: string, some: Tensor, magnitudes: number[]): Tensor {
  const operator = operators[name] as (typeof operators)[string];
  const [, , height = 0, width = 0] = some.shape;
  return operator.apply(
    some,
    hostParameters(magnitudes.map((magnitude) => operatorNumbers(operator, magnitude, height, width))),
  );
}

describe("the operators give torchvision's pixels", () => {
  it.each(Object.keys(theirs.operators))('%s', (name) => {
    const { magnitudes, result } = theirs.operators[name] as Case;
    expect(difference(applied(name, images(), magnitudes), result)).toBeLessThanOrEqual(1e-5);
  });

  it.each(['posterize', 'equalize'] as const)('%s, of bytes', (name) => {
    const { magnitudes, result } = theirs[name];
    const actual = applied(name, bytes(), magnitudes);
    // Posterizing floats keeps the tones k / 2^bits, bytes the tones k 2^(8 - bits).
    const scaled = name === 'posterize' ? actual.mul(256) : actual.mul(255);
    expect(difference(scaled, result)).toBeLessThanOrEqual(1e-3);
  });

  it('hue, of gray pixels as well', () => {
    expect(difference(adjustHue(images(), perImage(theirs.hue.factors)), theirs.hue.result)).toBeLessThanOrEqual(1e-5);
  });

  it('resized crop', () => {
    const rows = theirs.crop.boxes.map((box, row) => cropAndResize(images().narrow(0, row, 1), rectangle(box)));
    expect(difference(torch.cat(rows), theirs.crop.result)).toBeLessThanOrEqual(1e-5);
  });

  it('erasing', () => {
    const boxes = theirs.erase.boxes.map((box) => rectangleNumbers(rectangle(box)));
    const erased = erase(images(), hostParameters(boxes), [0.5, 0.25, 0.75]);
    expect(difference(erased, theirs.erase.result)).toBe(0);
  });
});

describe('mixes', () => {
  const own = {
    images: torch.ones([2, 1, 4, 8]),
    labels: torch.tensor([
      [1, 0, 0],
      [0, 1, 0],
    ]),
  };
  const partners = {
    images: torch.zeros([2, 1, 4, 8]),
    labels: torch.tensor([
      [0, 0, 1],
      [0, 1, 0],
    ]),
  };
  const with_ = (part: Partial<Mix>): Mix => ({ partner: 0, share: 0.75, kind: 'mixup', center: [0.5, 0.5], ...part });

  const mixedBy = (mixes: Mix[]) => mix(own, partners, hostParameters(mixes.map((one) => mixNumbers(one, 4, 8))));

  it('mixup weighs images and labels by one share', () => {
    const mixed = mixedBy([with_({}), with_({ share: 0.25 })]);
    expect(mixed.labels.tolist()).toEqual([
      [0.75, 0, 0.25],
      [0, 1, 0],
    ]);
    expect(mixed.images.mean([1, 2, 3]).tolist()).toEqual([0.75, 0.25]);
  });

  it("CutMix's labels follow the area that is pasted, also where the border cuts it off", () => {
    const mixed = mixedBy([with_({ kind: 'cutmix' }), with_({ kind: 'cutmix', center: [0, 0.5] })]);
    // Half the root of 1 - share of each side reaches out from the center: 2 of 8 and 1 of 4.
    expect(mixed.images.mean([1, 2, 3]).tolist()).toEqual([1 - 8 / 32, 1 - 4 / 32]);
    expect(mixed.labels.tolist()).toEqual([
      [0.75, 0, 0.25],
      [0, 1, 0],
    ]);
  });

  it.each([0.2, 1, 3])('shares have the mean and variance of Beta(%d, %d)', (alpha) => {
    const count = 4000;
    const values = Array.from({ length: count }, (_, sample) => beta(new SampleRandom(3, 99, sample), alpha));
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
    expect(variance / (1 / (4 * (2 * alpha + 1)))).toBeCloseTo(1, 0);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThanOrEqual(1);
  });
});
