/** Parametrizations of weights, as torch.nn.utils.parametrizations. */
import { checkCall, type Kinds } from '../../call.js';
import { ArgumentError, ConfigError } from '../../errors.js';
import { noGrad, type Tensor, functions as torch } from '../../tensor/index.js';
import { normalize } from '../functional.js';
import { Module } from '../module.js';
import { registerParametrization } from './parametrize.js';

/** Options of {@link weightNorm}. */
export interface WeightNormOptions {
  /** The parameter. Default `weight`. */
  name?: string;
  /** The dimension whose norms are learned apart; null: one norm. Default 0. */
  dim?: number | null;
}

const weightKinds: Kinds<WeightNormOptions> = { name: 'string', dim: 'number?' };

class WeightNorm extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(magnitude: Tensor, direction: Tensor): Tensor {
    return torch._weightNorm(direction, magnitude, this.dim);
  }

  rightInverse(weight: Tensor): Tensor[] {
    return [torch.normExceptDim(weight, 2, this.dim), weight];
  }
}

/** Learns norm and direction of a weight separately (Salimans and Kingma 2016). Returns the module. */
export function weightNorm<M extends Module>(module: M, options: WeightNormOptions = {}): M {
  checkCall('weightNorm', ['module: layer'], weightKinds, arguments);
  const { name = 'weight', dim = 0 } = options;
  return registerParametrization(module, name, new WeightNorm(dim ?? -1));
}

/** Options of {@link spectralNorm}. */
export interface SpectralNormOptions {
  /** The parameter. Default `weight`. */
  name?: string;
  /** Power iterations at each forward in training mode. Default 1. */
  nPowerIterations?: number;
  /** Added to norms. Default 1e-12. */
  eps?: number;
  /** The dimension of the outputs. Default 0, for transposed convolutions 1. */
  dim?: number | null;
}

const spectralKinds: Kinds<SpectralNormOptions> = {
  name: 'string',
  nPowerIterations: 'number',
  eps: 'number',
  dim: 'number?',
};

class SpectralNorm extends Module {
  declare readonly _u: Tensor;
  declare readonly _v: Tensor;

  constructor(
    weight: Tensor,
    readonly nPowerIterations: number,
    readonly dim: number,
    readonly eps: number,
  ) {
    super();
    if (weight.ndim === 1) return;
    noGrad(() => {
      const matrix = this.matrixOf(weight);
      const [rows = 0, columns = 0] = matrix.shape;
      const kind = { dtype: weight.dtype, device: weight.device };
      this.registerBuffer('_u', normalize(torch.randn([rows], kind), { dim: 0, eps }));
      this.registerBuffer('_v', normalize(torch.randn([columns], kind), { dim: 0, eps }));
      this.iterate(matrix, 15);
    });
  }

  private matrixOf(weight: Tensor): Tensor {
    return weight.movedim(this.dim, 0).flatten(1);
  }

  private iterate(matrix: Tensor, count: number): void {
    noGrad(() => {
      for (let i = 0; i < count; i++) {
        this._u.copy_(normalize(matrix.mv(this._v), { dim: 0, eps: this.eps }));
        this._v.copy_(normalize(matrix.t().mv(this._u), { dim: 0, eps: this.eps }));
      }
    });
  }

  forward(weight: Tensor): Tensor {
    if (weight.ndim === 1) return normalize(weight, { dim: 0, eps: this.eps });
    const matrix = this.matrixOf(weight);
    if (this.training) this.iterate(matrix, this.nPowerIterations);
    return weight.div(this._u.clone().dot(matrix.mv(this._v.clone())));
  }
}

/**
 * Divides a weight by its largest singular value (Miyato et al. 2018), approximated by power iterations. Returns the
 * module. Throws ConfigError if nPowerIterations is not a whole number above 0.
 */
export function spectralNorm<M extends Module>(module: M, options: SpectralNormOptions = {}): M {
  checkCall('spectralNorm', ['module: layer'], spectralKinds, arguments);
  const { name = 'weight', nPowerIterations = 1, eps = 1e-12 } = options;
  if (!(Number.isInteger(nPowerIterations) && nPowerIterations > 0))
    throw new ConfigError(`nPowerIterations must be a whole number above 0, not ${nPowerIterations}.`);
  const weight = (module as unknown as Record<string, Tensor>)[name];
  if (!weight) throw new ArgumentError(`${module.constructor.name} has no parameter '${name}'.`);
  const dim = options.dim ?? (/^ConvTranspose\dd$/.test(module.constructor.name) ? 1 : 0);
  return registerParametrization(module, name, new SpectralNorm(weight, nPowerIterations, dim, eps));
}
