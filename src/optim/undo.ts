import { keep, noGrad, scope, type Tensor, TensorList, functions as torch } from '../tensor/index.js';

/** The tensors of one dtype, with one tensor that has room for all of their elements. */
interface Alike {
  tensors: TensorList;
  members: readonly Tensor[];
  flat: Tensor;
  /** Parts of `flat`, each in the form of its tensor. */
  kept: TensorList;
  parts: Tensor[];
}

/**
 * Takes back what operators did to tensors; on a device by its own decision, in a few kernels for all tensors together.
 */
export class Undo {
  readonly #groups: Alike[];

  constructor(tensors: readonly Tensor[]) {
    const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))];
    this.#groups = dtypes.map((dtype) => {
      const members = tensors.filter((tensor) => tensor.dtype === dtype);
      const flat = scope(() => keep(flatten(members)));
      const parts = scope(() => inForm(flat, members).map((part) => keep(part)));
      return { tensors: new TensorList(members), members, flat, kept: new TensorList(parts), parts };
    });
  }

  remember(): void {
    noGrad(() => {
      for (const { kept, tensors } of this.#groups) torch._foreachCopy_(kept, tensors);
    });
  }

  restore(): void {
    noGrad(() => {
      for (const { kept, tensors } of this.#groups) torch._foreachCopy_(tensors, kept);
    });
  }

  /** Restores where `found` (one element, on the device) is above 0; the host does not wait. */
  restoreIf(found: Tensor): void {
    noGrad(() =>
      scope(() => {
        for (const { tensors, members, flat } of this.#groups) {
          const chosen = torch.where(found.gt(0), flat, flatten(members));
          torch._foreachCopy_(tensors, inForm(chosen, members));
        }
      }),
    );
  }

  dispose(): void {
    for (const { tensors, flat, kept, parts } of this.#groups)
      for (const holder of [tensors, kept, flat, ...parts]) holder.dispose();
  }
}

const flatten = (tensors: readonly Tensor[]): Tensor =>
  noGrad(() =>
    torch.cat(
      tensors.map((tensor) => tensor.detach().reshape([-1])),
      0,
    ),
  );

function inForm(flat: Tensor, tensors: readonly Tensor[]): Tensor[] {
  let begin = 0;
  return tensors.map((tensor) => {
    const size = tensor.numel();
    begin += size;
    return flat.narrow(0, begin - size, size).view(tensor.shape);
  });
}
