import type { PeerForm } from './suite.js';

/**
 * Returns the forms in which PyTorch does `what` on a GPU, the fastest first, because a time budget may leave out the
 * last. max-autotune is not among them, because it takes minutes per case.
 */
export const gpuForms = (what: string, eager: readonly PeerForm[]): readonly PeerForm[] => [
  { name: `compiled, ${what} in one CUDA graph`, variant: 'compiled-graph', compiled: true },
  { name: `${what} in one CUDA graph`, variant: 'graph' },
  ...eager,
  { name: 'torch.compile', variant: 'compile', compiled: true },
  { name: 'torch.compile, reduce-overhead', variant: 'reduce-overhead', compiled: true },
];
