/**
 * Losses that compare student logits z_S with teacher logits z_T, both [N, K]. The gradient flows only to the student
 * if the teacher's logits do not require one.
 */
import { functional as F } from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';

/** Subtracts each row's mean and divides by its standard deviation (Sun et al., CVPR 2024). */
export function standardizeLogits(z: Tensor): Tensor {
  return z.sub(z.mean([1], true)).div(z.std([1], { keepdim: true }).add(1e-7));
}

/** T^2 KL(s(z_T / T) || s(z_S / T)), mean over the batch (Hinton et al., 2015). T^2 keeps the size of the gradient. */
export function klDistillationLoss(zS: Tensor, zT: Tensor, temperature: number): Tensor {
  const [logS, logT] = [zS, zT].map((z) => F.logSoftmax(z.div(temperature), 1)) as [Tensor, Tensor];
  return F.klDiv(logS, logT, { reduction: 'batchmean', logTarget: true }).mul(temperature ** 2);
}

/**
 * The two parts of {@link klDistillationLoss} that Zhao et al. (CVPR 2022) weigh apart, each with T^2 and as mean over
 * the batch: `target` compares the probability of the label with that of all others, `others` compares the
 * distributions over the other classes.
 */
export function decoupledLosses(
  zS: Tensor,
  zT: Tensor,
  labels: Tensor,
  temperature: number,
): { target: Tensor; others: Tensor } {
  const [ofS, ofT] = [zS, zT].map((z) => decouple(z.div(temperature), labels)) as [Decoupled, Decoupled];
  const divergence = (logS: Tensor, logT: Tensor) =>
    F.klDiv(logS, logT, { reduction: 'batchmean', logTarget: true }).mul(temperature ** 2);
  return { target: divergence(ofS.binary, ofT.binary), others: divergence(ofS.others, ofT.others) };
}

interface Decoupled {
  /** Logarithms of the probabilities of the label and of everything else, [N, 2]. */
  binary: Tensor;
  /** Logarithms of the probabilities among the other classes, [N, K - 1]. */
  others: Tensor;
}

/**
 * Works with logarithms throughout: for a confident network, the probability of the other classes may underflow to 0.
 * Gathers the other classes by number instead of a mask: only the device knows a mask's count, so the host would have
 * to wait.
 */
function decouple(z: Tensor, labels: Tensor): Decoupled {
  const k = z.shape[1] ?? 0;
  const label = labels.unsqueeze(1);
  const places = torch.arange(k - 1, { device: z.device });
  const other = z.gather(1, places.add(places.ge(label)));
  const parts = torch.cat([z.gather(1, label), other.logsumexp([1], true)], 1);
  return { binary: F.logSoftmax(parts, 1), others: F.logSoftmax(other, 1) };
}

/**
 * 1 - Pearson correlation of the predictions s(z / T), each with T^2 (Huang et al., NeurIPS 2022): `inter` correlates
 * the classes of each sample, `intra` the samples of each class. `intra` depends on the batch.
 */
export function relationLosses(zS: Tensor, zT: Tensor, temperature: number): { inter: Tensor; intra: Tensor } {
  const [yS, yT] = [zS, zT].map((z) => F.softmax(z.div(temperature), 1)) as [Tensor, Tensor];
  return {
    inter: decorrelation(yS, yT).mul(temperature ** 2),
    intra: decorrelation(yS.t(), yT.t()).mul(temperature ** 2),
  };
}

/** 1 - Pearson correlation of the rows of two matrices, mean over the rows. */
function decorrelation(a: Tensor, b: Tensor): Tensor {
  const [u, v] = [a, b].map((rows) => rows.sub(rows.mean([1], true))) as [Tensor, Tensor];
  const lengths = u
    .norm(2, [1])
    .mul(v.norm(2, [1]))
    .add(1e-8);
  return u.mul(v).sum([1]).div(lengths).mean().neg().add(1);
}
