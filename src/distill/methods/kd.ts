import { validate, z } from '../../options.js';
import { klDistillationLoss, standardizeLogits } from '../logit-losses.js';
import { labelLoss, type Method, methodKind, type Objective, type Setting, targetsOf, teacherOf } from '../method.js';

export const kdOptions = z.strictObject({
  ce: z.number().min(0).default(0.1).describe('weight of the cross-entropy with the labels'),
  kd: z.number().min(0).default(0.9).describe('weight of the divergence from the teacher'),
  temperature: z.number().positive().default(4).describe('temperature of both softmaxes'),
  standardize: z.boolean().default(false).describe('standardize the logits of each image first'),
});

/** Options of {@link KD}: `ce` (default 0.1), `kd` (0.9), `temperature` (4), `standardize` (false). */
export type KDOptions = z.input<typeof kdOptions>;

/**
 * Distillation of the logits (Hinton et al., 2015): L = ce L_CE + kd T^2 KL(teacher || student). Defaults:
 * RepDistiller's on CIFAR.
 */
export class KD implements Method {
  readonly name = 'kd';
  readonly needsTeacher = true;
  readonly options: z.output<typeof kdOptions>;

  constructor(options: KDOptions = {}) {
    this.options = validate(kdOptions, options, 'the method kd');
  }

  setUp(setting: Setting): Objective {
    teacherOf(setting, 'KD');
    const { ce, kd, temperature, standardize } = this.options;
    return {
      modules: {},
      terms(values) {
        const zS = values.student.logits;
        const zT = targetsOf(values, 'KD').logits;
        const divergence = standardize
          ? klDistillationLoss(standardizeLogits(zS), standardizeLogits(zT), temperature)
          : klDistillationLoss(zS, zT, temperature);
        return {
          ce: { weight: ce, value: labelLoss(values, zS) },
          kd: { weight: kd, value: divergence },
        };
      },
    };
  }
}

export const kdKind = methodKind({
  name: 'kd',
  summary: 'Kullback-Leibler divergence of softened logits (Hinton et al., 2015)',
  options: kdOptions,
  create: (options) => new KD(options),
});
