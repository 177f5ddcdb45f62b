import { checkCall } from '../../call.js';
import { ArgumentError } from '../../errors.js';
import { noGrad, type Tensor, functions as torch } from '../../tensor/index.js';

/** All parameters as one vector, as torch.nn.utils.parameters_to_vector; gradients flow back into them. */
export function parametersToVector(parameters: Iterable<Tensor>): Tensor {
  checkCall('parametersToVector', ['parameters: iterable'], undefined, arguments);
  return torch.cat([...parameters].map((parameter) => parameter.reshape([-1])));
}

/**
 * Copies parts of a vector into the parameters. Throws ArgumentError if it has not as many elements as they have; they
 * are then unchanged.
 */
export function vectorToParameters(vector: Tensor, parameters: Iterable<Tensor>): void {
  checkCall('vectorToParameters', ['vector: tensor', 'parameters: iterable'], undefined, arguments);
  const all = [...parameters];
  const sizes = all.map((parameter) => parameter.numel());
  const count = sizes.reduce((sum, size) => sum + size, 0);
  if (vector.ndim !== 1 || vector.numel() !== count)
    throw new ArgumentError(`The vector has shape [${vector.shape.join(', ')}], the parameters ${count} elements.`);
  noGrad(() => {
    for (const [i, part] of vector.splitWithSizes(sizes).entries()) {
      const parameter = all[i] as Tensor;
      parameter.copy_(part.reshape(parameter.shape));
    }
  });
}
