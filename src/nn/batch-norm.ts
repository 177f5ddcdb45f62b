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
 * Batch normalization over all dimensions but the second. Throws ShapeError if the batch has one value per channel.
 */
abstract class BatchNorm extends RunningNorm {
  /** Allowed numbers of dimensions of an input. */
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
   * relu(forward(x) + residual). In training mode, float32 maps in channels_last with a multiple of 16 channels take
   * two passes over memory forward and two backward. Other inputs, and modules with hooks or an overridden forward,
   * compute the steps one after the other.
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
   * The mean of forwardRelu(x) over each image's pixels, [N, C, H, W] -> [N, C]. On a device with custom kernels, the
   * map is never written to memory.
   */
  forwardReluPool(x: Tensor): Tensor {
    const fused = this.synchronizes() ? undefined : this.fused(x);
    if (!fused) return torch.mean(this.forwardRelu(x), [2, 3]);
    return callOverload(overloadOf('srrl::batch_norm_relu_pool'), [...fused.tensors, ...fused.numbers]) as Tensor;
  }

  /**
   * A sum and its forwardRelu(), for pre-activation blocks: [forwardRelu(x + other), x + other]. On a device with
   * custom kernels, the sum is computed with the statistics, and the gradients are added in the backward pass of the
   * normalization.
   */
  forwardReluSum(x: Tensor, other: Tensor): [normalized: Tensor, sum: Tensor] {
    const fused = this.synchronizes() ? undefined : this.fused(x);
    if (!fused) {
      const sum = torch.add(x, other);
      return [this.forwardRelu(sum), sum];
    }
    const [, ...rows] = fused.tensors;
    const values = [x, other, ...rows, ...fused.numbers];
    return callOverload(overloadOf('srrl::batch_norm_relu_sum'), values) as [Tensor, Tensor];
  }

  /** Whether statistics are computed over all processes of a group. */
  protected synchronizes(): boolean {
    return this.training && synchronizes();
  }

  /**
   * Normalizes with the statistics of all processes. Returns undefined if only this process's are wanted, or if the
   * module overrides forward.
   */
  private joint(x: Tensor, relu: boolean, residual?: Tensor): Tensor | undefined {
    if (!this.synchronizes() || (relu && this.forward !== BatchNorm.prototype.forward)) return undefined;
    needDimensions(x.shape, this.dimensions);
    const running = this.trackRunningStats ? [this.running_mean, this.running_var] : [null, null];
    const tensors = [x, this.weight, this.bias, ...running, residual ?? null];
    const values = [...tensors, this.averagingFactor(), this.eps, relu];
    return callOverload(overloadOf('srrl::sync_batch_norm'), values) as Tensor;
  }

  /** Arguments of the fused operators; undefined if they do not compute the same as this module. */
  private fused(x: Tensor): { tensors: (Tensor | null)[]; numbers: (number | Tensor | null)[] } | undefined {
    // forward() refuses what is no tensor.
    if (!(x instanceof Tensor)) return undefined;
    const { weight, bias, training, trackRunningStats, momentum } = this;
    const plain = this.forward !== BatchNorm.prototype.forward;
    if (!training || !weight || !bias || x.ndim !== 4 || x.numel() === 0 || plain) return undefined;
    this.check(x.shape, true);
    const running = trackRunningStats ? [this.running_mean, this.running_var] : [null, null];
    // The fused operators count the batch themselves, unless the count determines its weight.
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
 * Batch normalization with the statistics of all processes of the group, in any number of dimensions; without a group,
 * with those of this process, as in PyTorch.
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
