/** The facts from which the files of a Hugging Face hub folder are written. */
import type { StudentCard, StudentPreprocessing } from '../../distill/saved-student.js';
import { ConfigError } from '../../errors.js';
import { Linear } from '../../nn/index.js';
import { type ExportCard, published, type Verification } from '../card.js';
import type { Network } from '../format.js';
import type { SeedsRecord } from '../seeds.js';

export interface HubFacts {
  /** The student's card, without local paths and the command line. */
  readonly student: StudentCard;
  readonly card: ExportCard;
  readonly preprocessing: StudentPreprocessing;
  readonly classes: readonly string[];
  /** The width of the last feature; undefined if the network does not end in a linear layer. */
  readonly features: number | undefined;
  readonly seeds: SeedsRecord | undefined;
  readonly verification: Verification | undefined;
}

export function factsOf({ model, student, card, seeds, verification }: Network): HubFacts {
  const { preprocessing, numClasses } = student;
  if (!preprocessing)
    throw new ConfigError(
      'The student does not say how its images are normalized (an older version wrote it). Give its data set with --data.',
    );
  const linear = [...model.namedModules()]
    .map(([, module]) => module)
    .filter((module): module is Linear => module instanceof Linear && module.outFeatures === numClasses);
  return {
    student: published(student, card.data),
    card,
    preprocessing,
    classes: card.classes ?? student.classes ?? Array.from({ length: numClasses }, (_, i) => `class ${i}`),
    features: linear.at(-1)?.inFeatures,
    seeds,
    verification,
  };
}
