/** Distinguishes the weights of architectures without creating the network. */
import { createHash } from 'node:crypto';
import { Conv2d, Linear, type StateDict } from '../nn/index.js';
import type { Classifier } from './contract.js';

export interface ModelSignature {
  /** Path of the classifier layer. */
  classifier: string;
  /** Path of the first convolution, whose input is the images. */
  first: string;
  /** See {@link digestOf}. */
  digest: string;
}

/** Returns the paths of a model's first convolution and classifier, whose shapes depend on channels and classes. */
export function endsOf(model: Classifier): { first: string; classifier: string } {
  const modules = [...model.namedModules()];
  const first = modules.find(([, module]) => module instanceof Conv2d)?.[0];
  const classifier = modules.findLast(
    ([, module]) => module instanceof Linear && module.outFeatures === model.numClasses,
  )?.[0];
  return { first: first ?? '', classifier: classifier ?? '' };
}

/** Hashes names and shapes of a state dict, without channels, classes, image size and batch counters. */
export function digestOf(state: StateDict, { first, classifier }: { first: string; classifier: string }): string {
  const open = new Set([`${first}.weight`, `${classifier}.weight`, `${classifier}.bias`]);
  const lines = Object.entries(state)
    .filter(([name]) => !name.endsWith('num_batches_tracked'))
    .map(([name, { shape }]) => (open.has(name) || name.endsWith('pos_embed') ? name : `${name} ${shape.join('x')}`));
  return createHash('sha256').update(lines.toSorted().join('\n')).digest('hex').slice(0, 16);
}
