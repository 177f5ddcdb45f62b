import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { checkNotNegative, refuseClosure } from './checks.js';
import { type Group, Optimizer, type ParameterGroup } from './optimizer.js';

const kinds: Kinds<MuonOptions> = {
  lr: 'number',
  weightDecay: 'number',
  momentum: 'number',
  nesterov: 'boolean',
  nsCoefficients: 'any',
  eps: 'number',
  nsSteps: 'number',
  adjustLrFn: ['original', 'match_rms_adamw'],
};

/** Options of {@link Muon}. */
export interface MuonOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Decoupled, as in AdamW. Default 0.1. */
  weightDecay: number;
  /** Decay rate of the gradient's running average. Default 0.95. */
  momentum: number;
  /** Nesterov's form. Default true. */
  nesterov: boolean;
  /** Coefficients of the odd polynomial of degree 5 in Newton-Schulz. Default [3.4445, -4.775, 2.0315]. */
  nsCoefficients: [number, number, number];
  /** Minimum norm in the division. Default 1e-7. */
  eps: number;
  /** Newton-Schulz iterations, below 100. Default 5. */
  nsSteps: number;
  /**
   * Adjusts the learning rate to the matrix shape: `original` multiplies by sqrt(max(1, rows / columns)),
   * `match_rms_adamw` by 0.2 sqrt(max(rows, columns)), for learning rates of AdamW. Default `original`.
   */
  adjustLrFn: 'original' | 'match_rms_adamw';
}

const defaults: MuonOptions = {
  lr: 1e-3,
  weightDecay: 0.1,
  momentum: 0.95,
  nesterov: true,
  nsCoefficients: [3.4445, -4.775, 2.0315],
  eps: 1e-7,
  nsSteps: 5,
  adjustLrFn: 'original',
};

/**
 * Momentum whose steps are made nearly orthogonal, for the matrices of hidden layers, as torch.optim.Muon: averages by
 * foreach operators, the orthogonalization in bfloat16 matrix by matrix. Other parameters want another optimizer, such
 * as AdamW. Throws ConfigError if a parameter is not 2-dimensional, lr, weightDecay or momentum is below 0, nsSteps
 * is not a whole number from 0 to 99, there are not three coefficients, or adjustLrFn is unknown.
 */
export class Muon extends Optimizer<MuonOptions> {
  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<MuonOptions>>, options: Partial<MuonOptions> = {}) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup(group: Group<MuonOptions>): void {
    check(group);
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup(group: Group<MuonOptions>, index: number): void {
    const { lr, weightDecay, momentum, nesterov } = group;
    this.forEachReady(index, ['momentum_buffer'], ({ members, params, gradients, state }) => {
      const averages = state('momentum_buffer');
      torch._foreachLerp_(averages, gradients, 1 - momentum);
      // A product with 1 copies; libtorch 2.11 has no _foreach_clone.
      const updates = nesterov ? torch._foreachLerp(gradients, averages, momentum) : torch._foreachMul(averages, 1);
      torch._foreachMul_(params, 1 - lr * weightDecay);
      for (const [i, param] of members.entries()) {
        param.add_(orthogonalized(updates[i] as Tensor, group), { alpha: -lr * lrFactor(param, group) });
      }
    });
  }
}

function check({ params, weightDecay, momentum, nsCoefficients, nsSteps, adjustLrFn }: Group<MuonOptions>): void {
  checkNotNegative({ weightDecay, momentum });
  const odd = params.find((param) => param.ndim !== 2);
  if (odd) throw new ConfigError(`Muon takes parameters of 2 dimensions, not of shape [${odd.shape.join(', ')}].`);
  if (nsCoefficients.length !== 3) throw new ConfigError('nsCoefficients must be three numbers.');
  if (!(Number.isInteger(nsSteps) && nsSteps >= 0 && nsSteps < 100))
    throw new ConfigError(`nsSteps must be a whole number from 0 to 99, not ${nsSteps}.`);
  if (adjustLrFn !== 'original' && adjustLrFn !== 'match_rms_adamw')
    throw new ConfigError(`adjustLrFn must be 'original' or 'match_rms_adamw', not '${adjustLrFn}'.`);
}

/** A matrix with the same singular vectors and singular values near 1, in bfloat16. */
function orthogonalized(matrix: Tensor, { nsCoefficients: [a, b, c], nsSteps, eps }: MuonOptions): Tensor {
  const [rows = 0, columns = 0] = matrix.shape;
  // The product with its own transpose is the smaller one where the matrix lies flat.
  const tall = rows > columns;
  let x = tall ? matrix.bfloat16().t() : matrix.bfloat16();
  x = x.div(x.norm().clamp({ min: eps }));
  for (let i = 0; i < nsSteps; i++) {
    const gram = x.matmul(x.t());
    const polynomial = torch.addmm(gram, gram, gram, { beta: b, alpha: c });
    x = torch.addmm(x, polynomial, x, { beta: a });
  }
  return tall ? x.t() : x;
}

function lrFactor({ shape: [rows = 1, columns = 1] }: Tensor, { adjustLrFn }: MuonOptions): number {
  if (adjustLrFn === 'match_rms_adamw') return 0.2 * Math.sqrt(Math.max(rows, columns));
  return Math.sqrt(Math.max(1, rows / columns));
}
