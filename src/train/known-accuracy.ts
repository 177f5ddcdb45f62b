/** A teacher's accuracy that an earlier run measured, for the runs of one program that share teacher and data. */
import type { Dataset } from '../data/dataset.js';
import { preprocessingConfig } from '../distill/adapted-teacher.js';
import { isTapped, type Teacher } from '../distill/teacher.js';
import type { Accuracy } from '../flow.js';
import type { TrainEvent } from './events.js';

/** What was measured, and what of: another teacher, classifier or data set is measured again. */
export interface KnownAccuracy {
  teacher: string;
  /** The classifier, of a TorchScript teacher. */
  tap?: string;
  data: string;
  /** How its images were normalized and resized, where not as the data set says. */
  seen?: string;
  /** On the test split, which no option changes. */
  accuracy: Accuracy;
}

/** What a run found out about its teacher, to be given to the next one; undefined for a run without one. */
export function knownAccuracy({
  config: { teacher, tap, data, ...config },
  teacher: accuracy,
}: Extract<TrainEvent, { type: 'start' }>): KnownAccuracy | undefined {
  return (
    accuracy && {
      teacher: String(teacher),
      data: String(data),
      seen: seenBy(config),
      accuracy,
      ...(tap !== undefined && { tap: String(tap) }),
    }
  );
}

const seenBy = ({ mean, std, teacherMean, teacherStd, teacherSize }: Record<string, unknown>): string =>
  JSON.stringify([mean, std, teacherMean, teacherStd, teacherSize]);

/** The accuracy, where it is that of this teacher on these data. */
export function accuracyFor(
  known: KnownAccuracy | undefined,
  teacher: Teacher,
  data: Dataset,
  { mean, std }: { mean?: number[] | undefined; std?: number[] | undefined } = {},
): Accuracy | undefined {
  const tap = isTapped(teacher) ? teacher.classifierName : undefined;
  const seen = seenBy({ mean, std, ...preprocessingConfig(teacher) });
  const sameImages = (known?.seen ?? seenBy({})) === seen;
  const same = known?.teacher === teacher.source && known.tap === tap && known.data === data.source && sameImages;
  return same ? known.accuracy : undefined;
}
