import { ConfigError } from '../errors.js';
import { BatchNorm2d, Conv2d, ConvTranspose2d, Module } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/**
 * FitNets' regressor: a convolution that maps a student's map [N, C, H, W] to the size of the teacher's, batch
 * normalization, ReLU. The convolution halves, doubles, or trims a larger map. Throws ConfigError for other sizes.
 */
export class Regressor extends Module {
  readonly conv: Conv2d | ConvTranspose2d;
  readonly bn: BatchNorm2d;

  /** @param student [C, H, W] @param teacher [C, H, W] */
  constructor(student: readonly number[], teacher: readonly number[]) {
    super();
    this.conv = fittingConv(student, teacher);
    this.bn = new BatchNorm2d(teacher[0] as number);
  }

  forward(map: Tensor): Tensor {
    return this.bn.forwardRelu(this.conv.forward(map));
  }
}

function fittingConv(student: readonly number[], teacher: readonly number[]): Conv2d | ConvTranspose2d {
  const [from, height, width] = student as [number, number, number];
  const [to, wantedHeight, wantedWidth] = teacher as [number, number, number];
  if (height === 2 * wantedHeight && width === 2 * wantedWidth)
    return new Conv2d(from, to, 3, { stride: 2, padding: 1 });
  if (2 * height === wantedHeight && 2 * width === wantedWidth)
    return new ConvTranspose2d(from, to, 4, { stride: 2, padding: 1 });
  if (height >= wantedHeight && width >= wantedWidth)
    return new Conv2d(from, to, [1 + height - wantedHeight, 1 + width - wantedWidth]);
  throw new ConfigError(
    `FitNets has no layer from ${height}x${width} to ${wantedHeight}x${wantedWidth}: the student's map may be half as large as the teacher's, or larger.\nChoose another stage.`,
  );
}
