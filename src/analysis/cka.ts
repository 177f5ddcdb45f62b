import { keep, scope, type Tensor, functions as torch } from '../tensor/index.js';

/**
 * Linear centered kernel alignment of two features over all images (Kornblith et al., "Similarity of Neural Network
 * Representations Revisited", ICML 2019, section 3):
 *
 *     || Y' X ||_F^2 / (|| X' X ||_F || Y' Y ||_F),   X and Y centered
 *
 * The three products are blocks of one Gram matrix, (C_X + C_Y)^2 float64, so the images need not be held.
 */
export class LinearCKA {
  #shift: Tensor | undefined;
  #gram: Tensor | undefined;
  #sum: Tensor | undefined;
  #width = 0;
  #count = 0;

  /** Adds a batch: x [N, C_X], y [N, C_Y], the same images in the same order. Call it inside a scope. */
  add(x: Tensor, y: Tensor): void {
    const joint = torch.cat([x.to('float64'), y.to('float64')], 1);
    const [, width = 0] = joint.shape;
    // With large means, centering at the end would subtract nearly equal numbers. Using the first image as the origin
    // avoids that.
    this.#shift ??= keep(joint.select(0, 0).clone());
    this.#gram ??= keep(torch.zeros([width, width], { dtype: 'float64', device: joint.device }));
    this.#sum ??= keep(torch.zeros([width], { dtype: 'float64', device: joint.device }));
    const shifted = joint.sub(this.#shift);
    this.#gram.addmm_(shifted.t(), shifted);
    this.#sum.add_(shifted.sum(0));
    this.#width = x.shape[1] ?? 0;
    this.#count += x.shape[0] ?? 0;
  }

  /** Returns the CKA, 0..1; null if a feature is the same for every image, or if nothing was added. */
  read(): number | null {
    const [gram, sum] = [this.#gram, this.#sum];
    if (!gram || !sum) return null;
    return scope(() => {
      const centered = gram.sub(torch.outer(sum, sum).div(this.#count));
      const rows = [centered.narrow(0, 0, this.#width), centered.slice(0, this.#width)] as const;
      const [xx, yy] = [rows[0].narrow(1, 0, this.#width).norm(), rows[1].slice(1, this.#width).norm()];
      const xy = rows[0].slice(1, this.#width).square().sum();
      const value = Number(xy.div(xx.mul(yy)).item());
      // Only rounding can exceed 1.
      return Number.isFinite(value) ? Math.min(1, value) : null;
    });
  }

  dispose(): void {
    for (const tensor of [this.#shift, this.#gram, this.#sum]) tensor?.dispose();
  }
}
