import { validate, z } from '../../options.js';
import { attentionLoss } from '../feature-losses.js';
import { labelLoss, type Method, methodKind, type Objective, type Setting, targetsOf } from '../method.js';
import { stageNumbers, stageOf } from '../requirements.js';

export const atOptions = z.strictObject({
  ce: z.number().min(0).default(1).describe('weight of the cross-entropy with the labels'),
  at: z
    .number()
    .min(0)
    .default(1000)
    .describe('weight of the sum over the stages; large, as each is a mean over positions'),
  power: z.number().positive().default(2).describe('power of a feature in the attention map'),
  stages: z.array(z.int()).min(1).optional().describe('numbers of the stages to compare; all where not given'),
});

/** Options of {@link AT}: `ce` (default 1), `at` (1000), `power` (2). */
export type ATOptions = z.input<typeof atOptions>;

/**
 * Attention transfer (Zagoruyko and Komodakis, ICLR 2017): L = ce L_CE + at sum over stages of the attention maps'
 * difference.
 */
export class AT implements Method {
  readonly name = 'at';
  readonly needsTeacher = true;
  readonly options: z.output<typeof atOptions>;

  constructor(options: ATOptions = {}) {
    this.options = validate(atOptions, options, 'the method at');
  }

  setUp(setting: Setting): Objective {
    const { ce, at, power, stages } = this.options;
    const numbers = stageNumbers(setting, stages, 'AT');
    return {
      modules: {},
      terms(values) {
        const { student } = values;
        const teacher = targetsOf(values, 'AT');
        const losses = numbers.map((i) => attentionLoss(stageOf(student, i), stageOf(teacher, i), power));
        return {
          ce: { weight: ce, value: labelLoss(values, student.logits) },
          at: { weight: at, value: losses.reduce((sum, loss) => sum.add(loss)) },
        };
      },
    };
  }
}

export const atKind = methodKind({
  name: 'at',
  summary: 'attention maps of all stages (Zagoruyko and Komodakis, ICLR 2017)',
  options: atOptions,
  create: (options) => new AT(options),
});
