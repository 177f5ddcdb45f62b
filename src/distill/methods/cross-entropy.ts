import { z } from '../../options.js';
import { labelLoss, type Method, methodKind, type Objective } from '../method.js';

/** Plain training on the labels: L = L_CE. */
export class CrossEntropy implements Method {
  readonly name = 'ce';
  readonly needsTeacher = false;
  readonly options = {};

  setUp(): Objective {
    return {
      modules: {},
      terms: (values) => ({ ce: { weight: 1, value: labelLoss(values, values.student.logits) } }),
    };
  }
}

export const crossEntropyKind = methodKind({
  name: 'ce',
  summary: 'labels alone',
  options: z.strictObject({}),
  create: () => new CrossEntropy(),
});
