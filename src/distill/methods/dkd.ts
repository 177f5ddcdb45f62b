import { validate, z } from '../../options.js';
import { decoupledLosses, standardizeLogits } from '../logit-losses.js';
import {
  classNumbers,
  labelLoss,
  type Method,
  methodKind,
  type Objective,
  type Setting,
  targetsOf,
  teacherOf,
} from '../method.js';
import { growing } from '../warm-up.js';

export const dkdOptions = z.strictObject({
  ce: z.number().min(0).default(1).describe('weight of the cross-entropy with the labels'),
  alpha: z.number().min(0).default(1).describe('weight of the part of the target class'),
  beta: z.number().min(0).default(8).describe('weight of the part of the other classes; 2 to 8 by pair'),
  temperature: z.number().positive().default(4).describe('temperature of all softmaxes'),
  warmUp: z.int().min(0).default(20).describe('epochs over which both weights grow from 0'),
  standardize: z.boolean().default(false).describe('standardize the logits of each image first'),
});

/**
 * Options of {@link DKD}: `ce` (default 1), `alpha` (1), `beta` (8), `temperature` (4), `warmUp` (20 epochs),
 * `standardize` (false).
 */
export type DKDOptions = z.input<typeof dkdOptions>;

/** Decoupled distillation (Zhao et al., CVPR 2022): L = ce L_CE + min(epoch / warmUp, 1) (alpha TCKD + beta NCKD). */
export class DKD implements Method {
  readonly name = 'dkd';
  readonly needsTeacher = true;
  readonly options: z.output<typeof dkdOptions>;

  constructor(options: DKDOptions = {}) {
    this.options = validate(dkdOptions, options, 'the method dkd');
  }

  setUp(setting: Setting): Objective {
    teacherOf(setting, 'DKD');
    const { ce, alpha, beta, temperature, warmUp, standardize } = this.options;
    return {
      modules: {},
      terms(values) {
        const { student } = values;
        const teacher = targetsOf(values, 'DKD');
        const [zS, zT] = standardize
          ? [standardizeLogits(student.logits), standardizeLogits(teacher.logits)]
          : [student.logits, teacher.logits];
        const { target, others } = decoupledLosses(zS, zT, classNumbers(values, 'DKD'), temperature);
        return {
          ce: { weight: ce, value: labelLoss(values, student.logits) },
          tckd: { weight: growing(alpha, warmUp), value: target },
          nckd: { weight: growing(beta, warmUp), value: others },
        };
      },
    };
  }
}

export const dkdKind = methodKind({
  name: 'dkd',
  summary: 'logits of the target class and of the others apart (Zhao et al., CVPR 2022)',
  options: dkdOptions,
  create: (options) => new DKD(options),
});
