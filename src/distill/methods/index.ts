/** Distillation methods by name. To add one, add a file to this folder and a line here; a test checks the folder. */
import { ConfigError } from '../../errors.js';
import { validate } from '../../options.js';
import { didYouMean } from '../../suggest.js';
import type { Method, MethodKind } from '../method.js';
import { atKind } from './at.js';
import { crdKind } from './crd.js';
import { crossEntropyKind } from './cross-entropy.js';
import { distKind } from './dist.js';
import { dkdKind } from './dkd.js';
import { fitNetsKind } from './fitnets.js';
import { kdKind } from './kd.js';
import { reviewKDKind } from './review-kd.js';
import { simKDKind } from './simkd.js';
import { spKind } from './sp.js';
import { srrlKind } from './srrl.js';

/** The distillation methods, each with its options. */
export const methodKinds: readonly MethodKind[] = [
  srrlKind,
  kdKind,
  dkdKind,
  distKind,
  fitNetsKind,
  atKind,
  spKind,
  crdKind,
  simKDKind,
  reviewKDKind,
  crossEntropyKind,
];

/** Creates a method by name. Throws ConfigError for unknown names and options, with the nearest ones. */
export function createMethod(name: string, options: Record<string, unknown> = {}): Method {
  const kind = methodKinds.find((candidate) => candidate.name === name);
  if (!kind) {
    const names = methodKinds.map((candidate) => candidate.name);
    throw new ConfigError(`There is no method '${name}'; there are ${names.join(', ')}.${didYouMean(name, names)}`);
  }
  return kind.create(validate(kind.options, options, { where: `the method ${name}`, equals: true }));
}
