import { functional as F } from '../../nn/index.js';
import { z } from '../../options.js';
import { type Method, methodKind, type Objective } from '../method.js';

/** Plain training on the labels: L = L_CE. */
export class CrossEntropy implements Method {
  readonly name = 'ce';
  readonly needsTeacher = false;
  readonly options = {};

  setUp(): Objective {
    return {
      modules: {},
      terms: ({ student, labels }) => ({ ce: { weight: 1, value: F.crossEntropy(student.logits, labels) } }),
    };
  }
}

export const crossEntropyKind = methodKind({
  name: 'ce',
  summary: 'labels alone',
  options: z.strictObject({}),
  create: () => new CrossEntropy(),
});
