import { validate, z } from '../../options.js';
import { labelLoss, type Method, methodKind, type Objective } from '../method.js';

const crossEntropyOptions = z.strictObject({});

/** Plain training on the labels: L = L_CE. */
export class CrossEntropy implements Method {
  readonly name = 'ce';
  readonly needsTeacher = false;
  readonly options: z.output<typeof crossEntropyOptions>;

  /** Accepts no options: throws ConfigError for any. */
  constructor(options: z.input<typeof crossEntropyOptions> = {}) {
    this.options = validate(crossEntropyOptions, options, 'the method ce');
  }

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
  options: crossEntropyOptions,
  create: (options) => new CrossEntropy(options),
});
