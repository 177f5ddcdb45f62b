/** The factor of a weight that grows evenly from 0 over the first `epochs`; `epoch` counts from 1. 0 epochs: no warm-up. */
export const warmUpFactor = (epoch: number, epochs: number): number => (epochs === 0 ? 1 : Math.min(epoch / epochs, 1));
