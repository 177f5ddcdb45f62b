import { validate, z } from '../../options.js';
import { Contrast, NegativeSampler } from '../contrast.js';
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

export const crdOptions = z.strictObject({
  ce: z.number().min(0).default(1).describe('weight of the cross-entropy with the labels'),
  crd: z.number().min(0).default(0.8).describe('weight of the contrastive loss'),
  dim: z.int().min(1).default(128).describe('width of the embeddings'),
  negatives: z.int().min(1).default(16384).describe('samples of other classes that each image is contrasted with'),
  temperature: z.number().positive().default(0.07).describe('temperature of the scores'),
  momentum: z.number().min(0).max(1).default(0.5).describe('share of its old entry that a memory bank keeps'),
});

/** Options of {@link CRD}, such as `crd` (default 0.8) and `negatives` (16384). */
export type CRDOptions = z.input<typeof crdOptions>;

/**
 * Contrastive representation distillation (Tian et al., ICLR 2020): L = ce L_CE + crd L_CRD on embeddings of the pooled
 * features. Negatives are drawn with replacement from the samples of other classes.
 */
export class CRD implements Method {
  readonly name = 'crd';
  readonly needsTeacher = true;
  readonly options: z.output<typeof crdOptions>;

  constructor(options: CRDOptions = {}) {
    this.options = validate(crdOptions, options, 'the method crd');
  }

  setUp(setting: Setting): Objective {
    const { ce, crd, negatives, ...embedding } = this.options;
    const teacher = teacherOf(setting, 'CRD');
    const sampler = new NegativeSampler(setting.trainLabels);
    const contrast = new Contrast(setting.student.features.pooled, teacher.features.pooled, {
      ...embedding,
      samples: setting.trainLabels.length,
    });
    return {
      modules: { contrast },
      comparesImages: true,
      terms(values) {
        const { student, indices } = values;
        const others = sampler.draw(classNumbers(values, 'CRD'), negatives);
        const loss = contrast.forward(student.pooled, targetsOf(values, 'CRD').pooled, indices, others);
        return {
          ce: { weight: ce, value: labelLoss(values, student.logits) },
          crd: { weight: crd, value: loss },
        };
      },
      dispose: () => sampler.dispose(),
    };
  }
}

export const crdKind = methodKind({
  name: 'crd',
  summary: 'contrast of embeddings against memory banks (Tian et al., ICLR 2020)',
  options: crdOptions,
  create: (options) => new CRD(options),
});
