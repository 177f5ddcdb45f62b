import type { Features, Terms } from '../../flow.js';
import { functional as F } from '../../nn/index.js';
import { validate, z } from '../../options.js';
import type { Tensor } from '../../tensor/index.js';
import { bothLosses } from '../both-losses.js';
import { type Connector, connectorNames, createConnector, MapConnector } from '../connector.js';
import { klDistillationLoss, standardizeLogits } from '../logit-losses.js';
import { featureMatchingLoss, softmaxRegressionLoss, softmaxRegressionLossL2 } from '../losses.js';
import {
  labelLoss,
  type Method,
  methodKind,
  type Objective,
  type Setting,
  type StepValues,
  type TeacherContract,
  targetsOf,
  teacherOf,
} from '../method.js';
import { stageOf, stagePair } from '../requirements.js';

export const srrlOptions = z.strictObject({
  alpha: z.number().min(0).default(1).describe('weight of the feature matching loss'),
  beta: z.number().min(0).default(1).describe('weight of the softmax regression loss'),
  sr: z
    .enum(['l2', 'ce'])
    .default('l2')
    .describe('softmax regression loss: squared error of the logits, or soft cross-entropy'),
  temperature: z.number().positive().default(1).describe('temperature of the soft cross-entropy; with --sr ce'),
  connector: z
    .enum(connectorNames)
    .default('auto')
    .describe(
      "maps the student's feature to the teacher's width; auto: applied to the last feature map, if there is one",
    ),
  ce: z.number().min(0).default(1).describe('weight of the cross-entropy with the labels'),
  fmStage: z.int().optional().describe('number of the stage for feature matching, from 0, instead of the last feature'),
  kd: z.number().min(0).default(0).describe('weight of an added KL divergence of the logits; 0: none'),
  kdTemperature: z.number().positive().default(4).describe('temperature of that divergence'),
  standardize: z.boolean().default(false).describe('standardize the logits of each image for that divergence'),
});

/** Options of {@link SRRL}, all with defaults: alpha = beta = 1, `sr` l2, `connector` auto, no `kd`. */
export type SRRLOptions = z.input<typeof srrlOptions>;

/**
 * SRRL: L = ce L_CE + alpha L_FM + beta L_SR, equation (5); with `kd` also + kd T^2 KL(teacher || student), as later
 * benchmarks add it. Use beta 0 to omit L_SR, alpha 0 to omit L_FM. `fmStage` matches averaged maps of an inner stage
 * through their own connector, to compare positions in the network.
 */
export class SRRL implements Method {
  readonly name = 'srrl';
  readonly needsTeacher = true;
  readonly options: z.output<typeof srrlOptions>;

  constructor(options: SRRLOptions = {}) {
    this.options = validate(srrlOptions, options, 'the method srrl');
  }

  setUp(setting: Setting): Objective {
    const teacher = teacherOf(setting, 'SRRL');
    const { connector: name, fmStage } = this.options;
    const inner = fmStage === undefined ? undefined : stagePair(setting, fmStage, 'SRRL with fmStage');
    const connector = createConnector(name, setting.student.features, teacher.features.pooled);
    const fmConnector = inner && new MapConnector(inner.student[0] as number, inner.teacher[0] as number);
    return {
      modules: { connector, ...(fmConnector && { fmConnector }) },
      terms: (values) => this.terms(values, teacher, connector, fmConnector),
    };
  }

  private terms(
    values: StepValues,
    teacher: TeacherContract,
    connector: Connector,
    fmConnector: MapConnector | undefined,
  ): Terms {
    const { student } = values;
    const targets = targetsOf(values, 'SRRL');
    const { ce, alpha, beta, kd } = this.options;
    const { fm, sr } = this.regression(student, targets, teacher, connector.forward(student), fmConnector);
    return {
      ce: { weight: ce, value: labelLoss(values, student.logits) },
      fm: { weight: alpha, value: fm },
      sr: { weight: beta, value: sr },
      ...(kd > 0 && { kd: { weight: kd, value: this.divergence(student.logits, targets.logits) } }),
    };
  }

  private regression(
    student: Features,
    targets: Features,
    teacher: TeacherContract,
    rhS: Tensor,
    fmConnector: MapConnector | undefined,
  ): { fm: Tensor; sr: Tensor } {
    const { sr, temperature } = this.options;
    if (sr === 'l2' && !fmConnector) return bothLosses(targets, rhS, teacher);
    // Not under noGrad: the classifier's weights are frozen, but the gradient passes through them.
    const zTildeS = teacher.classify(rhS);
    const zT = targets.logits;
    return {
      fm: fmConnector ? this.innerMatching(student, targets, fmConnector) : featureMatchingLoss(targets.pooled, rhS),
      sr: sr === 'l2' ? softmaxRegressionLossL2(zT, zTildeS) : softmaxRegressionLoss(zT, zTildeS, temperature),
    };
  }

  /** Equation (1) at an inner stage. */
  private innerMatching(student: Features, teacher: Features, connector: MapConnector): Tensor {
    const stage = this.options.fmStage as number;
    const rfS = connector.forward({ ...student, map: stageOf(student, stage) });
    return featureMatchingLoss(F.globalAvgPool(stageOf(teacher, stage)), rfS);
  }

  private divergence(zS: Tensor, zT: Tensor): Tensor {
    const { standardize, kdTemperature } = this.options;
    if (!standardize) return klDistillationLoss(zS, zT, kdTemperature);
    return klDistillationLoss(standardizeLogits(zS), standardizeLogits(zT), kdTemperature);
  }
}

export const srrlKind = methodKind({
  name: 'srrl',
  summary: "feature matching and softmax regression through the teacher's classifier (Yang et al., ICLR 2021)",
  options: srrlOptions,
  create: (options) => new SRRL(options),
});
