import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { enableGrad, keep, noGrad, scope, Tensor, functions as torch } from '../tensor/index.js';
import { strongWolfe } from './line-search.js';

/** Options of {@link LBFGS}. */
export interface LBFGSOptions {
  /** Learning rate. Default 1. */
  lr: number;
  /** Maximum iterations per step. Default 20. */
  maxIter: number;
  /** Maximum evaluations of the closure per step. Default maxIter * 1.25, rounded down. */
  maxEval: number | null;
  /** Stops if no element of the gradient is larger. Default 1e-7. */
  toleranceGrad: number;
  /** Stops if loss or parameters change by less. Default 1e-9. */
  toleranceChange: number;
  /** Number of updates that are kept. Default 100. */
  historySize: number;
  /** `strong_wolfe` searches along each direction. Default null: a step of length lr. */
  lineSearchFn: 'strong_wolfe' | null;
}

const kinds: Kinds<LBFGSOptions> = {
  lr: 'number',
  maxIter: 'number',
  maxEval: 'number?',
  toleranceGrad: 'number',
  toleranceChange: 'number',
  historySize: 'number',
  lineSearchFn: 'any',
};

const defaults: LBFGSOptions = {
  lr: 1,
  maxIter: 20,
  maxEval: null,
  toleranceGrad: 1e-7,
  toleranceChange: 1e-9,
  historySize: 100,
  lineSearchFn: null,
};

interface Update {
  /** Change of the gradient. */
  y: Tensor;
  /** Change of the parameters. */
  s: Tensor;
  /** 1 / (y s) */
  ro: number;
}

/**
 * L-BFGS, as torch.optim.LBFGS: `step(closure)` evaluates the closure, which clears the gradients, computes the loss,
 * calls backward() and returns the loss, as often as it needs. All parameters are one group, on one device.
 */
export class LBFGS {
  readonly paramGroups: [LBFGSOptions & { params: Tensor[]; initialLr?: number }];
  private history: Update[] = [];
  private direction: Tensor | undefined;
  private gradientBefore: Tensor | undefined;
  private scale = 1;
  private length = 0;
  private iterations = 0;

  constructor(params: Iterable<Tensor>, options: Partial<LBFGSOptions> = {}) {
    checkCall('new optim.LBFGS', ['params: iterable'], kinds, arguments);
    const all = [...params];
    if (all.length === 0) throw new ConfigError('The optimizer received no parameters.');
    if (all.some((param) => !(param instanceof Tensor)))
      throw new ConfigError('LBFGS has one group: give it parameters alone.');
    const group = { ...defaults, ...options, params: all };
    if (!(group.lr >= 0)) throw new ConfigError(`lr must be at least 0, not ${group.lr}.`);
    if (group.lineSearchFn !== null && group.lineSearchFn !== 'strong_wolfe')
      throw new ConfigError(`lineSearchFn must be 'strong_wolfe' or null, not ${String(group.lineSearchFn)}.`);
    this.paramGroups = [group];
  }

  /** Sets all gradients to none. */
  zeroGrad(): void {
    for (const param of this.paramGroups[0].params) param.grad = null;
  }

  /** Returns the loss that the closure returned first, as a number. */
  step(closure: () => Tensor): number {
    checkCall('LBFGS.step', ['closure: function'], undefined, arguments);
    return noGrad(() => scope(() => this.minimize(() => Number(scope(() => enableGrad(closure).item())))));
  }

  private minimize(evaluate: () => number): number {
    const [{ lr, maxIter, toleranceGrad, toleranceChange, lineSearchFn, ...rest }] = this.paramGroups;
    const maxEval = rest.maxEval ?? Math.floor(maxIter * 1.25);
    const first = evaluate();
    let [loss, gradient, evaluations] = [first, this.gradient(), 1];
    if (largest(gradient) <= toleranceGrad) return first;
    for (let i = 1; i <= maxIter; i++) {
      this.iterations++;
      const direction = this.nextDirection(gradient);
      const lossBefore = loss;
      this.length = this.iterations === 1 ? Math.min(1, 1 / sumOfAbs(gradient)) * lr : lr;
      const slope = dot(gradient, direction);
      if (slope > -toleranceChange) break;
      let used = 1;
      if (lineSearchFn) {
        const start = this.paramGroups[0].params.map((param) => param.clone());
        const at = (length: number) => {
          this.move(length, direction);
          const value = { loss: evaluate(), gradient: this.gradient() };
          for (const [j, param] of this.paramGroups[0].params.entries()) param.copy_(start[j] as Tensor);
          return value;
        };
        const found = strongWolfe(at, this.length, direction, {
          loss,
          gradient,
          slope,
          toleranceChange,
          maxSteps: maxEval - evaluations,
        });
        ({ loss, gradient, length: this.length, evaluations: used } = found);
        this.move(this.length, direction);
      } else {
        this.move(this.length, direction);
        // The last point is evaluated by the next step.
        if (i < maxIter) {
          loss = evaluate();
          gradient = this.gradient();
        } else used = 0;
      }
      evaluations += used;
      if (i === maxIter || evaluations >= maxEval || largest(gradient) <= toleranceGrad) break;
      if (largest(direction.mul(this.length)) <= toleranceChange) break;
      if (Math.abs(loss - lossBefore) < toleranceChange) break;
    }
    return first;
  }

  /** The two-loop recursion (Nocedal 1980): minus the approximate inverse Hessian times the gradient. */
  private nextDirection(gradient: Tensor): Tensor {
    if (this.iterations === 1) this.scale = 1;
    else this.rememberUpdate(gradient);
    const factors: number[] = [];
    const q = gradient.neg();
    for (const [i, { s, y, ro }] of [...this.history.entries()].reverse()) {
      factors[i] = dot(s, q) * ro;
      q.add_(y, { alpha: -(factors[i] as number) });
    }
    q.mul_(this.scale);
    for (const [i, { s, y, ro }] of this.history.entries())
      q.add_(s, { alpha: (factors[i] as number) - dot(y, q) * ro });
    this.direction?.dispose();
    this.gradientBefore?.dispose();
    this.direction = keep(q);
    this.gradientBefore = keep(gradient.clone());
    return q;
  }

  private rememberUpdate(gradient: Tensor): void {
    const y = gradient.sub(this.gradientBefore as Tensor);
    const s = (this.direction as Tensor).mul(this.length);
    const curvature = dot(y, s);
    if (curvature <= 1e-10) return;
    if (this.history.length === this.paramGroups[0].historySize) disposeUpdate(this.history.shift());
    this.history.push({ y: keep(y), s: keep(s), ro: 1 / curvature });
    this.scale = curvature / dot(y, y);
  }

  private gradient(): Tensor {
    return torch.cat(
      this.paramGroups[0].params.map(({ grad, shape }, i) => {
        if (grad) return grad.reshape([-1]);
        const count = shape.reduce((product, size) => product * size, 1);
        return torch.zerosLike(this.paramGroups[0].params[i] as Tensor).reshape([count]);
      }),
    );
  }

  private move(length: number, direction: Tensor): void {
    let from = 0;
    for (const param of this.paramGroups[0].params) {
      const count = param.numel();
      param.add_(direction.narrow(0, from, count).reshape(param.shape), { alpha: length });
      from += count;
    }
  }

  /** Frees the history, which starts again at the next step; the parameters stay. */
  dispose(): void {
    for (const update of this.history) disposeUpdate(update);
    this.direction?.dispose();
    this.gradientBefore?.dispose();
    [this.history, this.direction, this.gradientBefore, this.iterations] = [[], undefined, undefined, 0];
  }
}

function disposeUpdate(update: Update | undefined): void {
  update?.y.dispose();
  update?.s.dispose();
}

const dot = (a: Tensor, b: Tensor): number => Number(a.dot(b).item());
const largest = (x: Tensor): number => Number(x.abs().max().item());
const sumOfAbs = (x: Tensor): number => Number(x.abs().sum().item());
