/**
 * torchvision's adjustments of color for float images in 0..1, [N, C, H, W] with one or three channels; `factor` is
 * [N, 1, 1, 1].
 */
import { functions, type Tensor } from '../../tensor/index.js';

const unit = (images: Tensor): Tensor => images.clamp(0, 1);

/** factor * images + (1 - factor) * others, within 0..1. */
export function blend(images: Tensor, others: Tensor, factor: Tensor): Tensor {
  return unit(images.mul(factor).add(others.mul(factor.neg().add(1))));
}

const isGrey = (images: Tensor): boolean => images.shape[1] === 1;

/** ITU-R 601 luma, [N, 1, H, W]. */
export function grayscale(images: Tensor): Tensor {
  if (isGrey(images)) return images;
  const [r, g, b] = channels(images);
  return r.mul(0.2989).add(g.mul(0.587)).add(b.mul(0.114));
}

export const adjustBrightness = (images: Tensor, factor: Tensor): Tensor => unit(images.mul(factor));

export function adjustContrast(images: Tensor, factor: Tensor): Tensor {
  return blend(images, grayscale(images).mean([1, 2, 3], true), factor);
}

export function adjustSaturation(images: Tensor, factor: Tensor): Tensor {
  return isGrey(images) ? images : blend(images, grayscale(images), factor);
}

/** Rotates the hue by `factor` of the full circle, -0.5..0.5. */
export function adjustHue(images: Tensor, factor: Tensor): Tensor {
  if (isGrey(images)) return images;
  const [hue, saturation, value] = toHsv(images);
  return fromHsv(hue.add(factor).remainder(1), saturation, value);
}

const channels = (images: Tensor): [Tensor, Tensor, Tensor] =>
  [0, 1, 2].map((channel) => images.narrow(1, channel, 1)) as [Tensor, Tensor, Tensor];

function toHsv(images: Tensor): [hue: Tensor, saturation: Tensor, value: Tensor] {
  const [r, g, b] = channels(images);
  const [most, least] = [images.amax([1], true), images.amin([1], true)];
  const range = most.sub(least);
  const gray = range.eq(0);
  const divisor = range.maskedFill(gray, 1);
  const distance = (channel: Tensor) => most.sub(channel).div(divisor);
  const [fromRed, fromGreen, fromBlue] = [distance(r), distance(g), distance(b)];
  const redMost = most.eq(r);
  const greenMost = most.eq(g);
  const sextant = functions.where(
    redMost,
    fromBlue.sub(fromGreen),
    functions.where(greenMost, fromRed.sub(fromBlue).add(2), fromGreen.sub(fromRed).add(4)),
  );
  return [sextant.div(6).add(1).fmod(1), range.div(most.maskedFill(gray, 1)), most];
}

function fromHsv(hue: Tensor, saturation: Tensor, value: Tensor): Tensor {
  const turned = hue.mul(6);
  const sextant = turned.floor();
  const within = turned.sub(sextant);
  const p = unit(value.mul(saturation.neg().add(1)));
  const q = unit(value.mul(saturation.mul(within).neg().add(1)));
  const t = unit(value.mul(saturation.mul(within.neg().add(1)).neg().add(1)));
  const chosen = sextant.remainder(6).to('int64');
  const pick = (...sextants: Tensor[]) => functions.cat(sextants, 1).gather(1, chosen);
  const red = pick(value, q, p, p, t, value);
  const green = pick(t, value, value, q, p, p);
  const blue = pick(p, p, t, value, value, q);
  return functions.cat([red, green, blue], 1);
}
