/** A teacher's accuracy from an earlier run, reused by runs of one program that share teacher and data. */
import type { Dataset } from '../data/dataset.js';
import { preprocessingConfig } from '../distill/adapted-teacher.js';
import { isTapped, type Teacher } from '../distill/teacher.js';
import type { Accuracy } from '../flow.js';
import type { TrainEvent } from './events.js';

/** An accuracy and what it belongs to: another teacher, classifier or data set is evaluated again. */
export interface KnownAccuracy {
  teacher: string;
  /** The classifier, of a TorchScript teacher. */
  tap?: string;
  data: string;
  /** Normalization and size of its images, if they differ from the data set's. */
  seen?: string;
  /** On the test split, which no option changes. */
  accuracy: Accuracy;
}

/** Returns the teacher's accuracy of a run, to pass to the next run; undefined for a run without a teacher. */
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

/** Returns the accuracy if it belongs to this teacher and data; else undefined. */
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
