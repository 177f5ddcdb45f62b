import { ConfigError } from '../../errors.js';
import { functional as F, Linear } from '../../nn/index.js';
import { validate, z } from '../../options.js';
import { noGrad, type Tensor } from '../../tensor/index.js';
import { pooledTo } from '../feature-losses.js';
import {
  labelLoss,
  type Method,
  methodKind,
  type Objective,
  type Setting,
  type TeacherContract,
  targetsOf,
  teacherOf,
} from '../method.js';
import { ProjectedClassifier, Projector, projectable } from '../projector.js';
import { mapShape } from '../requirements.js';

export const simKDOptions = z.strictObject({
  ce: z
    .number()
    .min(0)
    .default(0)
    .describe("weight of the labels' cross-entropy, through projector and teacher's classifier"),
  simkd: z.number().min(0).default(1).describe("weight of the squared error to the teacher's last map"),
  factor: z.number().positive().default(2).describe("by which the projector's inner width is less than the teacher's"),
});

/** Options of {@link SimKD}: `ce` (default 0), `simkd` (1), `factor` (2). */
export type SimKDOptions = z.input<typeof simKDOptions>;

/**
 * Reuses the teacher's classifier (Chen et al., CVPR 2022): L = simkd ||P(f_S) - f_T||^2 on the last maps. The student
 * is evaluated and exported with the projector P and the teacher's classifier; its own is not trained.
 */
export class SimKD implements Method {
  readonly name = 'simkd';
  readonly needsTeacher = true;
  readonly options: z.output<typeof simKDOptions>;

  constructor(options: SimKDOptions = {}) {
    this.options = validate(simKDOptions, options, 'the method simkd');
  }

  setUp(setting: Setting): Objective {
    const { ce, simkd, factor } = this.options;
    const teacher = teacherOf(setting, 'SimKD');
    const studentMap = mapShape(setting.student.features, 'student', 'SimKD');
    const teacherMap = mapShape(teacher.features, 'teacher', 'SimKD');
    if (!teacher.features.pooledIsMeanOfMap) {
      throw new ConfigError(
        "SimKD lets the teacher's classifier read the average of a map, and this teacher's classifier reads something else.\nUse a teacher whose classifier follows global average pooling.",
      );
    }
    const projector = new Projector(studentMap[0] as number, teacherMap[0] as number, factor);
    const classifier = frozenClassifier(teacher);
    return {
      modules: { projector },
      terms(values) {
        const { student } = values;
        const projected = projector.forward(projectable(student.map as Tensor, teacherMap));
        const target = pooledTo(targetsOf(values, 'SimKD').map as Tensor, projected.shape.slice(2));
        const prediction = teacher.classify(F.globalAvgPool(projected));
        return {
          ce: { weight: ce, value: labelLoss(values, prediction) },
          simkd: { weight: simkd, value: F.mseLoss(projected, target) },
        };
      },
      deploy: (student) => new ProjectedClassifier(student, projector, classifier, teacherMap),
      dispose: () => classifier.dispose(),
    };
  }
}

/** Copies the classifier, so that the exported network outlives the teacher. */
function frozenClassifier({ weight, bias }: TeacherContract): Linear {
  const [classes, width] = weight.shape as [number, number];
  const classifier = new Linear(width, classes, { bias: bias !== null });
  classifier.to({ dtype: weight.dtype, device: weight.device }).requiresGrad_(false);
  noGrad(() => {
    classifier.weight.copy_(weight);
    if (bias) classifier.bias?.copy_(bias);
  });
  return classifier;
}

export const simKDKind = methodKind({
  name: 'simkd',
  summary: "the teacher's last map through a projector, and its classifier for prediction (Chen et al., CVPR 2022)",
  options: simKDOptions,
  create: (options) => new SimKD(options),
});
