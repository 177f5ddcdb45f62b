/** The description that a student needs for predictions. */
import { openDataset } from '../data/datasets/index.js';
import { evaluationViewOf } from '../data/evaluation-view.js';
import type { StudentCard } from '../distill/saved-student.js';
import { ConfigError, FileError, messageOf } from '../errors.js';

/** A card with all fields that predictions need. */
export type ReadyCard = StudentCard & Required<Pick<StudentCard, 'classes' | 'preprocessing'>>;

/**
 * Returns the card with class names and preprocessing. If the file is of an older version that did not save them, they
 * come from the data set: `source`, or by default that of the run. Throws FileError if that cannot be opened or does
 * not fit.
 */
export async function readyCard(file: string, card: StudentCard, source?: string): Promise<ReadyCard> {
  const { classes, preprocessing } = card;
  if (card.inChannels !== 1 && card.inChannels !== 3)
    throw new ConfigError(
      `${file} takes images of ${card.inChannels} channels. Files of images are read in color (3) or gray (1): run the network of loadStudent() on tensors of your own.`,
    );
  if (classes && preprocessing) return { ...card, classes, preprocessing };
  const name = source ?? card.data;
  const why = `${file} was written by an older version, without class names and preprocessing`;
  const data = await openDataset(name).catch((error: unknown) => {
    throw new FileError(
      `${why}, and its data set ${name} cannot be opened: ${messageOf(error)}\nName it with --data kind:path (the option data in a program).`,
      { cause: error },
    );
  });
  if (data.classes.length !== card.numClasses || data.channels !== card.inChannels)
    throw new ConfigError(
      `${why}; ${name} has ${data.classes.length} classes of ${data.channels}-channel images, the network ${card.numClasses} of ${card.inChannels}. Name its own data set with --data kind:path.`,
    );
  const { mean = data.mean, std = data.std } = card;
  return { ...card, classes: [...data.classes], preprocessing: { ...evaluationViewOf(data), mean, std } };
}
