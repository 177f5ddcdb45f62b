import { type Tensor, functions as torch } from '../tensor/index.js';
import { resetWeightAndBias } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

/** One number for height and width, or both. */
export type Pair = number | readonly [number, number];

export const pair = (value: Pair): [number, number] => (typeof value === 'number' ? [value, value] : [...value]);

export interface Conv2dOptions {
  /** Default 1. */
  stride?: Pair;
  /** Zeros around the image. Default 0. */
  padding?: Pair;
  /** Default 1. */
  dilation?: Pair;
  /** Default 1; channels must be multiples of it. */
  groups?: number;
  /** Default true. */
  bias?: boolean;
}

/** 2-d convolution: [N, inChannels, H, W] -> [N, outChannels, H', W']. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly stride: [number, number];
  readonly padding: [number, number];
  readonly dilation: [number, number];
  readonly groups: number;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: Pair,
    { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true }: Conv2dOptions = {},
  ) {
    super();
    this.stride = pair(stride);
    this.padding = pair(padding);
    this.dilation = pair(dilation);
    this.groups = groups;
    this.weight = new Parameter(torch.empty([outChannels, inChannels / groups, ...pair(kernelSize)]));
    this.bias = bias ? new Parameter(torch.empty([outChannels])) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    resetWeightAndBias(this.weight, this.bias);
  }

  forward(x: Tensor): Tensor {
    return torch.conv2d(x, this.weight, this.bias, this.stride, this.padding, this.dilation, this.groups);
  }
}
