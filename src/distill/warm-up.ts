import type { Weight } from '../flow.js';

/** Returns a weight that grows linearly from 0 to `weight` over the first `epochs`. 0 epochs: no warm-up. */
export const growing = (weight: number, epochs: number): Weight =>
  epochs === 0 ? weight : (epoch) => weight * Math.min(epoch / epochs, 1);
