import { functional as F } from '../../nn/index.js';
import { validate, z } from '../../options.js';
import { labelLoss, type Method, methodKind, type Objective, type Setting, targetsOf } from '../method.js';
import { Regressor } from '../regressor.js';
import { stageOf, stagePair } from '../requirements.js';

export const fitNetsOptions = z.strictObject({
  ce: z.number().min(0).default(1).describe('weight of the cross-entropy with the labels'),
  hint: z.number().min(0).default(100).describe("weight of the squared error to the teacher's map"),
  stage: z.int().default(1).describe('number of the stage to compare, from 0; -1 is the last'),
});

/** Options of {@link FitNets}: `ce` (default 1), `hint` (100), `stage` (1). */
export type FitNetsOptions = z.input<typeof fitNetsOptions>;

/**
 * Hints (Romero et al., ICLR 2015) in the one-phase form of RepDistiller: L = ce L_CE + hint ||r(f_S) - f_T||^2 on one
 * stage's maps.
 */
export class FitNets implements Method {
  readonly name = 'fitnets';
  readonly needsTeacher = true;
  readonly options: z.output<typeof fitNetsOptions>;

  constructor(options: FitNetsOptions = {}) {
    this.options = validate(fitNetsOptions, options, 'the method fitnets');
  }

  setUp(setting: Setting): Objective {
    const { ce, hint, stage } = this.options;
    const shapes = stagePair(setting, stage, 'FitNets');
    const regressor = new Regressor(shapes.student, shapes.teacher);
    return {
      modules: { regressor },
      terms(values) {
        const { student } = values;
        const target = stageOf(targetsOf(values, 'FitNets'), stage);
        return {
          ce: { weight: ce, value: labelLoss(values, student.logits) },
          hint: { weight: hint, value: F.mseLoss(regressor.forward(stageOf(student, stage)), target) },
        };
      },
    };
  }
}

export const fitNetsKind = methodKind({
  name: 'fitnets',
  summary: "squared error to the teacher's map at a hint stage (Romero et al., ICLR 2015)",
  options: fitNetsOptions,
  create: (options) => new FitNets(options),
});
