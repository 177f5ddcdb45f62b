import type { Terms } from '../../flow.js';
import { functional as F } from '../../nn/index.js';
import { z } from '../../options.js';
import { type Connector, connectorNames, createConnector } from '../connector.js';
import { featureMatchingLoss, softmaxRegressionLoss, softmaxRegressionLossL2 } from '../losses.js';
import {
  type Method,
  methodKind,
  type Objective,
  type Setting,
  type StepValues,
  type TeacherContract,
  targetsOf,
  teacherOf,
} from '../method.js';

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
    .describe("what takes the student's feature to the teacher's width; auto: on the last map where there is one"),
});

export type SRRLOptions = z.input<typeof srrlOptions>;

/** SRRL: L = L_CE + alpha L_FM + beta L_SR, equation (5). */
export class SRRL implements Method {
  readonly name = 'srrl';
  readonly needsTeacher = true;
  readonly options: z.output<typeof srrlOptions>;

  constructor(options: SRRLOptions = {}) {
    this.options = srrlOptions.parse(options);
  }

  setUp(setting: Setting): Objective {
    const teacher = teacherOf(setting, 'SRRL');
    const connector = createConnector(this.options.connector, setting.student.features, teacher.features.pooled);
    return { modules: { connector }, terms: (values) => this.terms(values, connector, teacher) };
  }

  private terms(values: StepValues, connector: Connector, teacher: TeacherContract): Terms {
    const { student, labels } = values;
    const { pooled: hT, logits: zT } = targetsOf(values, 'SRRL');
    const { alpha, beta, sr, temperature } = this.options;
    const rhS = connector.forward(student);
    // Not under noGrad: only the classifier's weights are frozen, the gradient passes through them.
    const zTildeS = teacher.classify(rhS);
    return {
      ce: { weight: 1, value: F.crossEntropy(student.logits, labels) },
      fm: { weight: alpha, value: featureMatchingLoss(hT, rhS) },
      sr: {
        weight: beta,
        value: sr === 'l2' ? softmaxRegressionLossL2(zT, zTildeS) : softmaxRegressionLoss(zT, zTildeS, temperature),
      },
    };
  }
}

export const srrlKind = methodKind({
  name: 'srrl',
  summary: "feature matching and softmax regression through the teacher's classifier (Yang et al., ICLR 2021)",
  options: srrlOptions,
  create: (options) => new SRRL(options),
});
