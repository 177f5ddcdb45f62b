import type { FeatureShapes, Features } from '../../flow.js';
import { validate, z } from '../../options.js';
import type { Tensor } from '../../tensor/index.js';
import { contextLoss } from '../feature-losses.js';
import { Fusion } from '../fusion.js';
import { labelLoss, type Method, methodKind, type Objective, type Setting, targetsOf, teacherOf } from '../method.js';
import { stageNumbers, stageOf } from '../requirements.js';
import { growing } from '../warm-up.js';

export const reviewKDOptions = z.strictObject({
  ce: z.number().min(0).default(1).describe('weight of the cross-entropy with the labels'),
  hcl: z.number().min(0).default(5).describe('weight of the context losses; 0.6 to 8 by pair'),
  warmUp: z.int().min(0).default(20).describe('epochs over which that weight grows from 0'),
  stages: z.array(z.int()).min(1).optional().describe('numbers of the stages to compare; all where not given'),
});

/** Options of {@link ReviewKD}: `ce` (default 1), `hcl` (5), `warmUp` (20 epochs). */
export type ReviewKDOptions = z.input<typeof reviewKDOptions>;

/**
 * Knowledge review (Chen et al., CVPR 2021): L = ce L_CE + hcl min(epoch / warmUp, 1) sum of the context losses between
 * the teacher's levels and the student's, fused from deep to shallow. Levels are the stages as the networks return them
 * and, as the deepest, the pooled feature; the authors use maps before the last ReLU of a stage.
 */
export class ReviewKD implements Method {
  readonly name = 'review-kd';
  readonly needsTeacher = true;
  readonly options: z.output<typeof reviewKDOptions>;

  constructor(options: ReviewKDOptions = {}) {
    this.options = validate(reviewKDOptions, options, 'the method review-kd');
  }

  setUp(setting: Setting): Objective {
    const { ce, hcl, warmUp, stages } = this.options;
    const numbers = stageNumbers(setting, stages, 'ReviewKD');
    const fusion = new Fusion(
      levelShapes(setting.student.features, numbers),
      levelShapes(teacherOf(setting, 'ReviewKD').features, numbers),
    );
    return {
      modules: { fusion },
      terms(values) {
        const { student } = values;
        const targets = levelsOf(targetsOf(values, 'ReviewKD'), numbers);
        const losses = fusion
          .forward(levelsOf(student, numbers))
          .map((output, i) => contextLoss(output, targets[i] as Tensor));
        return {
          ce: { weight: ce, value: labelLoss(values, student.logits) },
          hcl: {
            weight: growing(hcl, warmUp),
            value: losses.reduce((sum, loss) => sum.add(loss)),
          },
        };
      },
    };
  }
}

const levelShapes = ({ stages, pooled }: FeatureShapes, numbers: readonly number[]): number[][] => [
  ...numbers.map((i) => stages.at(i) as number[]),
  [pooled, 1, 1],
];

/** Returns the stages, and the pooled feature as a map [N, C, 1, 1]. */
const levelsOf = (features: Features, numbers: readonly number[]): Tensor[] => [
  ...numbers.map((i) => stageOf(features, i)),
  features.pooled.unsqueeze(2).unsqueeze(3),
];

export const reviewKDKind = methodKind({
  name: 'review-kd',
  summary: "the teacher's maps from fused levels of the student (Chen et al., CVPR 2021)",
  options: reviewKDOptions,
  create: (options) => new ReviewKD(options),
});
