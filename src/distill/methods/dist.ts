import { validate, z } from '../../options.js';
import { relationLosses } from '../logit-losses.js';
import { labelLoss, type Method, methodKind, type Objective, type Setting, targetsOf, teacherOf } from '../method.js';

export const distOptions = z.strictObject({
  ce: z.number().min(0).default(1).describe('weight of the cross-entropy with the labels'),
  weight: z.number().min(0).default(2).describe('weight of both correlations'),
  beta: z.number().min(0).default(1).describe('share of the correlation between classes'),
  gamma: z.number().min(0).default(1).describe('share of the correlation within classes'),
  temperature: z.number().positive().default(4).describe('temperature of both softmaxes'),
});

/** Options of {@link DIST}: `ce` (default 1), `weight` (2), `beta` (1), `gamma` (1), `temperature` (4). */
export type DISTOptions = z.input<typeof distOptions>;

/**
 * Distillation by correlation (Huang et al., NeurIPS 2022): L = ce L_CE + weight T^2 (beta L_inter + gamma L_intra).
 */
export class DIST implements Method {
  readonly name = 'dist';
  readonly needsTeacher = true;
  readonly options: z.output<typeof distOptions>;

  constructor(options: DISTOptions = {}) {
    this.options = validate(distOptions, options, 'the method dist');
  }

  setUp(setting: Setting): Objective {
    teacherOf(setting, 'DIST');
    const { ce, weight, beta, gamma, temperature } = this.options;
    return {
      modules: {},
      comparesImages: true,
      terms(values) {
        const { student } = values;
        const { inter, intra } = relationLosses(student.logits, targetsOf(values, 'DIST').logits, temperature);
        return {
          ce: { weight: ce, value: labelLoss(values, student.logits) },
          inter: { weight: weight * beta, value: inter },
          intra: { weight: weight * gamma, value: intra },
        };
      },
    };
  }
}

export const distKind = methodKind({
  name: 'dist',
  summary: 'correlation of the predictions, by image and by class (Huang et al., NeurIPS 2022)',
  options: distOptions,
  create: (options) => new DIST(options),
});
