import { checkCall } from '../../call.js';
import { noGrad, scope, Tensor } from '../../tensor/index.js';
import { BatchNorm1d, BatchNorm2d, BatchNorm3d } from '../batch-norm.js';
import type { Layer } from '../module.js';

type Batch = Tensor | readonly [Tensor, ...unknown[]];

/**
 * Recomputes the running statistics of all batch normalizations as the mean over `batches`, as
 * torch.optim.swa_utils.update_bn: for averaged weights, whose statistics are not those of any training step. A batch
 * is a tensor, or an array that begins with one. The model keeps its mode.
 */
export async function updateBn(batches: Iterable<Batch> | AsyncIterable<Batch>, model: Layer): Promise<void> {
  checkCall('updateBn', ['batches: object', 'model: layer'], undefined, arguments);
  const norms = [...model.namedModules()].flatMap(([, module]) =>
    module instanceof BatchNorm1d || module instanceof BatchNorm2d || module instanceof BatchNorm3d ? [module] : [],
  );
  const averaged = norms.filter(({ trackRunningStats }) => trackRunningStats);
  if (averaged.length === 0) return;
  const before = averaged.map(({ momentum }) => momentum);
  const modes = [...model.namedModules()].map(([, module]) => ({ module, training: module.training }));
  const setMomentum = (value: number | null, i: number) => {
    (averaged[i] as { momentum: number | null }).momentum = value;
  };
  for (const [i, norm] of averaged.entries()) {
    noGrad(() => [norm.running_mean.zero_(), norm.running_var.fill_(1), norm.num_batches_tracked.zero_()]);
    setMomentum(null, i);
  }
  model.train();
  try {
    for await (const batch of batches) {
      const x = batch instanceof Tensor ? batch : batch[0];
      noGrad(() => scope(() => void model.forward(x)));
    }
  } finally {
    for (const [i, momentum] of before.entries()) setMomentum(momentum, i);
    for (const { module, training } of modes) module.training = training;
  }
}
