import { ConfigError } from '../errors.js';
import type { Terms } from '../flow.js';
import { functional as F } from '../nn/index.js';
import { z } from '../options.js';
import { type Connector, connectorNames, createConnector } from './connector.js';
import { featureMatchingLoss, softmaxRegressionLoss, softmaxRegressionLossL2 } from './losses.js';
import type { Method, Objective, StepValues, StudentContract, TeacherContract } from './method.js';

export const srrlOptions = z.strictObject({
  alpha: z.number().min(0).default(1).describe('weight of the feature matching loss'),
  beta: z.number().min(0).default(1).describe('weight of the softmax regression loss'),
  sr: z
    .enum(['l2', 'ce'])
    .default('l2')
    .describe('softmax regression loss: squared error of the logits, or soft cross-entropy'),
  temperature: z.number().positive().default(1).describe('temperature of the soft cross-entropy; with --sr ce'),
  connector: z.enum(connectorNames).default('map').describe('connector on the last map, or on the pooled feature'),
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

  setUp(student: StudentContract, teacher?: TeacherContract): Objective {
    if (!teacher) throw new ConfigError('SRRL needs a teacher.');
    const connector = createConnector(this.options.connector, student.featureChannels, teacher.featureChannels);
    return { modules: { connector }, terms: (values) => this.terms(values, connector, teacher) };
  }

  private terms(
    { student, teacher: targets, labels }: StepValues,
    connector: Connector,
    teacher: TeacherContract,
  ): Terms {
    if (!targets) throw new ConfigError('SRRL needs the teacher on every batch.');
    const { alpha, beta, sr, temperature } = this.options;
    const rhS = connector.forward(student);
    // Not under noGrad: only the classifier's weights are frozen, the gradient passes through them.
    const zTildeS = teacher.classify(rhS);
    const zT = targets.logits;
    return {
      ce: { weight: 1, value: F.crossEntropy(student.logits, labels) },
      fm: { weight: alpha, value: featureMatchingLoss(targets.pooled, rhS) },
      sr: {
        weight: beta,
        value: sr === 'l2' ? softmaxRegressionLossL2(zT, zTildeS) : softmaxRegressionLoss(zT, zTildeS, temperature),
      },
    };
  }
}
