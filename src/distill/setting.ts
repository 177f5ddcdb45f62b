import type { Dataset } from '../data/dataset.js';
import type { Features } from '../flow.js';
import { type Classifier, measureFeatures } from '../models/index.js';
import type { Tensor } from '../tensor/index.js';
import type { Setting } from './method.js';
import type { Teacher } from './teacher.js';

/**
 * Measures the feature shapes of student and teacher for the images of a data set. Leaves the student in training mode.
 * With `pooledOnly`, the teacher returns its pooled feature and logits, but no maps.
 */
export function settingFor(
  student: Classifier,
  teacher: Teacher | undefined,
  data: Dataset,
  { pooledOnly = false }: { pooledOnly?: boolean } = {},
): Setting {
  const image = [data.channels, data.height, data.width];
  const measure = (forward: (images: Tensor) => Features, device: string) => measureFeatures(forward, image, device);
  student.eval();
  const studentFeatures = measure((images) => student.forwardFeatures(images), deviceOf(student));
  student.train();
  return {
    student: { numClasses: student.numClasses, features: studentFeatures },
    ...(teacher && {
      teacher: {
        numClasses: teacher.numClasses,
        features: measure((images) => {
          const { pooled, logits, ...maps } = teacher.forward(images);
          return { pooled, logits, ...(pooledOnly ? { stages: [] } : maps) };
        }, teacher.device),
        weight: teacher.weight,
        bias: teacher.bias,
        classify: (h) => teacher.classify(h),
      },
    }),
    trainLabels: data.train.labels,
  };
}

const deviceOf = (student: Classifier): string => [...student.parameters()][0]?.device ?? 'cpu';
