import type { PeerForm } from './suite.js';

/**
 * The forms in which PyTorch does `what` on a GPU, the strongest first, as a budget of time may leave out the others.
 * max-autotune is not among them: it takes minutes for each case.
 */
export const gpuForms = (what: string, eager: readonly PeerForm[]): readonly PeerForm[] => [
  { name: `compiled, ${what} in one CUDA graph`, variant: 'compiled-graph', compiled: true },
  { name: `${what} in one CUDA graph`, variant: 'graph' },
  ...eager,
  { name: 'torch.compile', variant: 'compile', compiled: true },
  { name: 'torch.compile, reduce-overhead', variant: 'reduce-overhead', compiled: true },
];
