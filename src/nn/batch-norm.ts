import { checkCall, type Kinds } from '../call.js';
import { native } from '../native.js';
import { callOverload, noGrad, overloadOf, Tensor, functions as torch } from '../tensor/index.js';
import { synchronizes } from './batch-share.js';
import type { Module } from './module.js';
import { RunningNorm } from './running-norm.js';
import { needDimensions, needSeveralValues } from './statistics.js';

const normKinds: Kinds<BatchNormOptions> = {
  eps: 'number',
  momentum: 'number?',
  affine: 'boolean',
  trackRunningStats: 'boolean',
};

/** Options of batch normalization, in any number of dimensions. */
export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Weight of the new batch in the running statistics; null for their plain average. Default 0.1. */
  momentum?: number | null;
  /** Trains weight and bias. Default true. */
  affine?: boolean;
  /** Keeps running statistics and uses them in evaluation mode. Default true. */
  trackRunningStats?: boolean;
}

const oneValue = 'Use a larger batch, leave out a last batch of one sample, or call eval().';

const defaults = { eps: 1e-5, momentum: 0.1, affine: true, trackRunningStats: true };

/**
 * Batch normalization over all dimensions but the second. Throws ShapeError where the batch has one value a channel.
 */
abstract class BatchNorm extends RunningNorm {
  /** How many dimensions an input may have. */
  protected get dimensions(): readonly number[] {
    return [2, 3, 4, 5];
  }

  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    checkCall(`new nn.${new.target.name}`, ['numFeatures: number'], normKinds, arguments);
    super(numFeatures, { ...defaults, ...options });
  }

  forward(x: Tensor): Tensor {
    const joint = this.joint(x, false);
    if (joint) return joint;
    const fused = x.device === 'cpu' ? undefined : this.fused(x);
    if (fused) return callOverload(overloadOf('srrl::batch_norm'), [...fused.tensors, ...fused.numbers]) as Tensor;
    const useBatch = this.training || !this.trackRunningStats;
    this.check(x.shape, useBatch);
    const mean = this.trackRunningStats ? this.running_mean : null;
    const variance = this.trackRunningStats ? this.running_var : null;
    return torch.batchNorm(x, this.weight, this.bias, mean, variance, useBatch, this.averagingFactor(), this.eps, true);
  }

  /**
   * relu(forward(x) + residual). In training mode two passes over memory forward and two backward, for float32 maps in
   * channels_last with a multiple of 16 channels; anything else, and a module with hooks or a forward of its own,
   * computes one after the other.
   */
  forwardRelu(x: Tensor, residual?: Tensor): Tensor {
    const joint = this.joint(x, true, residual);
    if (joint) return joint;
    const fused = this.fused(x);
    if (fused) {
      const values = [...fused.tensors, residual ?? null, ...fused.numbers];
      return callOverload(overloadOf('srrl::batch_norm_relu'), values) as Tensor;
    }
    const normalized = this.forward(x);
    return torch.relu(residual ? normalized.add(residual) : normalized);
  }

  /**
   * The mean of forwardRelu(x) over each image's pixels, [N, C, H, W] -> [N, C]. On a device with own kernels the map
   * is never written.
   */
  forwardReluPool(x: Tensor): Tensor {
    const fused = this.synchronizes() ? undefined : this.fused(x);
    if (!fused) return torch.mean(this.forwardRelu(x), [2, 3]);
    return callOverload(overloadOf('srrl::batch_norm_relu_pool'), [...fused.tensors, ...fused.numbers]) as Tensor;
  }

  /**
   * A sum and forwardRelu() of it, as blocks that normalize first have: [forwardRelu(x + other), x + other]. On a
   * device with own kernels the sum is made with the statistics, and gradients are added with that of the
   * normalization.
   */
  forwardReluSum(x: Tensor, other: Tensor): [normalized: Tensor, sum: Tensor] {
    const fused = this.synchronizes() ? undefined : this.fused(x);
    if (!fused) {
      const sum = x.add(other);
      return [this.forwardRelu(sum), sum];
    }
    const [, ...rows] = fused.tensors;
    const values = [x, other, ...rows, ...fused.numbers];
    return callOverload(overloadOf('srrl::batch_norm_relu_sum'), values) as [Tensor, Tensor];
  }

  /** Whether statistics are those of all processes of a group. */
  protected synchronizes(): boolean {
    return this.training && synchronizes();
  }

  /**
   * By statistics of all processes; undefined where those of this one are wanted, and of modules with a forward of
   * their own.
   */
  private joint(x: Tensor, relu: boolean, residual?: Tensor): Tensor | undefined {
    if (!this.synchronizes() || (relu && this.forward !== BatchNorm.prototype.forward)) return undefined;
    needDimensions(x.shape, this.dimensions);
    const running = this.trackRunningStats ? [this.running_mean, this.running_var] : [null, null];
    const tensors = [x, this.weight, this.bias, ...running, residual ?? null];
    const values = [...tensors, this.averagingFactor(), this.eps, relu];
    return callOverload(overloadOf('srrl::sync_batch_norm'), values) as Tensor;
  }

  /** Arguments of the fused operators; undefined where they do not do what this module does. */
  private fused(x: Tensor): { tensors: (Tensor | null)[]; numbers: (number | Tensor | null)[] } | undefined {
    const { weight, bias, training, trackRunningStats, momentum } = this;
    const plain = this.forward !== BatchNorm.prototype.forward;
    if (!training || !weight || !bias || x.ndim !== 4 || x.numel() === 0 || plain) return undefined;
    this.check(x.shape, true);
    const running = trackRunningStats ? [this.running_mean, this.running_var] : [null, null];
    // They count the batch themselves, unless the count decides how much it weighs.
    const counts = trackRunningStats && momentum !== null;
    const factor = counts ? momentum : this.averagingFactor();
    return {
      tensors: [x, weight, bias, ...running],
      numbers: [factor, this.eps, counts ? this.num_batches_tracked : null],
    };
  }

  private check(shape: number[], useBatch: boolean): void {
    needDimensions(shape, this.dimensions);
    if (useBatch) needSeveralValues(shape, oneValue);
  }

  private averagingFactor(): number {
    if (!this.training || !this.trackRunningStats) return this.momentum ?? 0;
    noGrad(() => this.num_batches_tracked.add_(1));
    return this.momentum ?? 1 / Number(this.num_batches_tracked.item());
  }
}

/** [N, C] or [N, C, L]. */
export class BatchNorm1d extends BatchNorm {
  protected override get dimensions(): readonly number[] {
    return [2, 3];
  }
}

/** [N, C, H, W]. */
export class BatchNorm2d extends BatchNorm {
  protected override get dimensions(): readonly number[] {
    return [4];
  }
}

/** [N, C, D, H, W]. */
export class BatchNorm3d extends BatchNorm {
  protected override get dimensions(): readonly number[] {
    return [5];
  }
}

/**
 * Batch normalization of any number of dimensions by the statistics of all processes of the group; without a group
 * those of this process, as PyTorch's.
 */
export class SyncBatchNorm extends BatchNorm {
  protected override synchronizes(): boolean {
    return this.training && native().distributedInfo() !== null;
  }

  /** Replaces every batch normalization below a module, or the module itself, sharing parameters and statistics. */
  static convertSyncBatchnorm<T extends Module>(module: T): T {
    if (module instanceof BatchNorm && !(module instanceof SyncBatchNorm)) {
      const { numFeatures, eps, momentum, trackRunningStats, training } = module;
      const options = { eps, momentum, affine: module.weight !== null, trackRunningStats };
      const converted = new SyncBatchNorm(numFeatures, options).train(training);
      for (const old of converted.heldTensors()) old.dispose();
      for (const [name] of Object.entries(converted)) {
        const value = (module as unknown as Record<string, unknown>)[name];
        if (value instanceof Tensor) (converted as unknown as Record<string, unknown>)[name] = value;
      }
      return converted as Module as T;
    }
    for (const [name, child] of module.namedChildren())
      (module as unknown as Record<string, Module>)[name] = SyncBatchNorm.convertSyncBatchnorm(child);
    return module;
  }
}
