import type { Tensor } from '../tensor/index.js';
import { type Layer, Module } from './module.js';

/** Modules one after the other; their names are their numbers. */
export class Sequential extends Module {
  readonly length: number;

  constructor(...layers: Layer[]) {
    super();
    this.length = layers.length;
    for (const [i, layer] of layers.entries()) (this as unknown as Record<number, Layer>)[i] = layer;
  }

  /** The layers in order. */
  layers(): Layer[] {
    return Array.from({ length: this.length }, (_, i) => (this as unknown as Record<number, Layer>)[i] as Layer);
  }

  forward(x: Tensor): Tensor {
    return this.layers().reduce((value, layer) => layer.forward(value), x);
  }
}
