/** The inputs of test/fixtures/make/inputs.py, made by the same formula. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fromArray, type Tensor } from '../../src/torch.js';

export interface RampOptions {
  scale?: number;
  offset?: number;
  step?: number;
}

/** Element i is scale * (((i * step) % 2003) / 1001.5 - 1) + offset, in float64. */
export function ramp(shape: number[], { scale = 1, offset = 0, step = 7919 }: RampOptions = {}): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float64Array.from({ length: count }, (_, i) => scale * (((i * step) % 2003) / 1001.5 - 1) + offset);
  return fromArray(values, shape);
}

export const fixturePath = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/data/${name}`, import.meta.url));

export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(fixturePath(`${name}.json`), 'utf8')) as T;
}
