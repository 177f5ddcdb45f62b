import { DataError } from '../../errors.js';
import { validate } from '../../options.js';
import type { Dataset, Split } from '../dataset.js';
import { isEncoded } from '../images.js';
import { type AugmentOptions, augmentOptions, type EffectiveAugmentOptions } from './index.js';

/**
 * Completes the augmentation options of a split with the data set's defaults. Throws DataError if the options do not
 * fit its images.
 */
export function effectiveAugmentation(
  data: Dataset,
  set: Split,
  augment: boolean | AugmentOptions,
): EffectiveAugmentOptions | undefined {
  if (augment === false) return undefined;
  const asked = validate(augmentOptions, augment === true ? {} : augment, 'the augmentation');
  const encoded = isEncoded(set);
  if (encoded && (asked.mixup || asked.cutmix))
    throw new DataError(
      `${data.source} decodes its images as they come; mixup and CutMix need images of one size (srrl pack).`,
    );
  if (encoded && asked.crop === 'pad')
    throw new DataError(
      `${data.source} has images of many sizes, from which a part is resized; --crop pad is for images of one size.`,
    );
  return { ...asked, crop: asked.crop ?? (encoded ? 'resized' : 'pad') };
}
