import { functional as F } from '../nn/index.js';
import type { Method, Objective } from './method.js';

/** Plain training on the labels: L = L_CE. */
export class CrossEntropy implements Method {
  readonly name = 'ce';
  readonly needsTeacher = false;

  setUp(): Objective {
    return {
      modules: {},
      terms: ({ student, labels }) => ({ ce: { weight: 1, value: F.crossEntropy(student.logits, labels) } }),
    };
  }
}
