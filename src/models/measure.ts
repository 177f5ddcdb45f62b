import type { FeatureShapes, Features } from '../flow.js';
import { functional as F } from '../nn/index.js';
import { noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

/**
 * Returns the sizes of a network's outputs for images [C, H, W], from a forward of two random ones. The network must be
 * in evaluation mode. The state of the default generator is preserved.
 */
export function measureFeatures(
  forward: (images: Tensor) => Features,
  image: readonly number[],
  device = 'cpu',
): FeatureShapes {
  return noGrad(() =>
    scope(() => {
      const count = image.reduce((product, size) => product * size, 2);
      const ramp = torch.arange(count, { dtype: 'float32' }).mul(0.37).sin();
      const { pooled, map, stages } = forward(ramp.reshape([2, ...image]).to({ device }));
      const sizes = ({ shape }: Tensor) => [...shape.slice(1)];
      const pooledIsMeanOfMap =
        map?.ndim === 4 && map.shape[1] === pooled.shape[1] && torch.allclose(F.globalAvgPool(map), pooled, 1e-4, 1e-6);
      return {
        pooled: pooled.shape[1] as number,
        ...(map && { map: sizes(map) }),
        stages: stages.map(sizes),
        pooledIsMeanOfMap,
      };
    }),
  );
}
