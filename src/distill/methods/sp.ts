import { validate, z } from '../../options.js';
import { similarityLoss } from '../feature-losses.js';
import { labelLoss, type Method, methodKind, type Objective, type Setting, targetsOf } from '../method.js';
import { stageOf, stagePair } from '../requirements.js';

export const spOptions = z.strictObject({
  ce: z.number().min(0).default(1).describe('weight of the cross-entropy with the labels'),
  sp: z.number().min(0).default(3000).describe('weight of the difference of the similarities'),
  stage: z.int().default(-1).describe('number of the stage to compare; -1 is the last'),
});

/** Options of {@link SP}: `ce` (default 1), `sp` (3000), `stage` (-1, the last). */
export type SPOptions = z.input<typeof spOptions>;

/** Similarity-preserving distillation (Tung and Mori, ICCV 2019): L = ce L_CE + sp ||G_S - G_T||^2 / N^2. */
export class SP implements Method {
  readonly name = 'sp';
  readonly needsTeacher = true;
  readonly options: z.output<typeof spOptions>;

  constructor(options: SPOptions = {}) {
    this.options = validate(spOptions, options, 'the method sp');
  }

  setUp(setting: Setting): Objective {
    const { ce, sp, stage } = this.options;
    stagePair(setting, stage, 'SP');
    return {
      modules: {},
      comparesImages: true,
      terms(values) {
        const { student } = values;
        const teacher = targetsOf(values, 'SP');
        return {
          ce: { weight: ce, value: labelLoss(values, student.logits) },
          sp: { weight: sp, value: similarityLoss(stageOf(student, stage), stageOf(teacher, stage)) },
        };
      },
    };
  }
}

export const spKind = methodKind({
  name: 'sp',
  summary: "similarities of a batch's images (Tung and Mori, ICCV 2019)",
  options: spOptions,
  create: (options) => new SP(options),
});
