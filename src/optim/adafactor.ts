import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { finfo, type Tensor, type TensorList, tensor, functions as torch } from '../tensor/index.js';
import { checkNotNegative, refuseClosure } from './checks.js';
import { type Group, type Lists, Optimizer, type ParameterGroup } from './optimizer.js';
import { stacked } from './stacked.js';

const kinds: Kinds<AdafactorOptions> = {
  lr: 'number',
  beta2Decay: 'number',
  eps: 'any',
  d: 'number',
  weightDecay: 'number',
  maximize: 'boolean',
};

/** Options of {@link Adafactor}. */
export interface AdafactorOptions {
  /** Largest relative learning rate. Default 1e-2. */
  lr: number;
  /** The squares' running average of step t has the decay rate 1 - t ** beta2Decay. Default -0.8. */
  beta2Decay: number;
  /** Floors of the squares, null for the dtype's eps, and of a parameter's root mean square. Default [null, 1e-3]. */
  eps: [number | null, number];
  /** Largest root mean square of an update. Default 1. */
  d: number;
  /** Decoupled, as in AdamW. Default 0. */
  weightDecay: number;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: AdafactorOptions = {
  lr: 1e-2,
  beta2Decay: -0.8,
  eps: [null, 1e-3],
  d: 1,
  weightDecay: 0,
  maximize: false,
};

/**
 * Adafactor (Shazeer and Stern 2018), as torch.optim.Adafactor, by foreach operators: for a matrix it keeps averages of
 * its rows and columns instead of every element's. Throws ConfigError if lr, eps or weightDecay is below 0, beta2Decay
 * is above 0, or d below 1.
 */
export class Adafactor extends Optimizer<AdafactorOptions> {
  constructor(
    params: Iterable<Tensor> | Iterable<ParameterGroup<AdafactorOptions>>,
    options: Partial<AdafactorOptions> = {},
  ) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ beta2Decay, eps, d, weightDecay }: Group<AdafactorOptions>): void {
    checkNotNegative({ 'eps[0]': eps[0] ?? 0, 'eps[1]': eps[1], weightDecay });
    if (!(beta2Decay <= 0)) throw new ConfigError(`beta2Decay must be at most 0, not ${beta2Decay}.`);
    if (!(d >= 1)) throw new ConfigError(`d must be at least 1, not ${d}.`);
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => {
      const matrices = (lists: Lists) => this.stepSome(group, lists, rowsAndColumns);
      const vectors = (lists: Lists) => this.stepSome(group, lists, everyElement);
      const sums = { row_var: (param: Tensor) => sumOver(param, -1), col_var: (param: Tensor) => sumOver(param, -2) };
      this.forEachReady(index, ['step', 'row_var', 'col_var'], matrices, sums, ({ ndim }) => ndim > 1);
      this.forEachReady(index, ['step', 'variance'], vectors, {}, ({ ndim }) => ndim <= 1);
    });
  }

  private stepSome(group: Group<AdafactorOptions>, lists: Lists, squaresOf: Squares): void {
    const { lr, beta2Decay, eps, d, weightDecay, maximize } = group;
    const { members, params, gradients: given, state } = lists;
    torch._foreachAdd_(state('step'), 1);
    const steps = stacked(this.state, members, 'step');
    const gradients = maximize ? torch._foreachNeg(given) : given;
    const roots = members.map((member) => Math.sqrt(member.numel()));
    const scales = rms(params, roots)
      .clamp({ min: eps[1] })
      .mul(steps.rsqrt().clamp({ max: lr }));
    if (weightDecay !== 0) torch._foreachMul_(params, 1 - lr * weightDecay);
    const floor = eps[0] ?? finfo((members[0] as Tensor).dtype).eps;
    const updates = squaresOf(gradients, state, steps.pow(beta2Decay), floor);
    torch._foreachClampMin_(updates, floor * floor);
    torch._foreachSqrt_(updates);
    torch._foreachReciprocal_(updates);
    torch._foreachMul_(updates, gradients);
    const sizes = rms(updates, roots).div(d).clamp({ min: 1 });
    torch._foreachMul_(updates, scales.div(sizes).neg().unbind());
    torch._foreachAdd_(params, updates);
  }
}

type Some = TensorList | Tensor[];
/** Moves the averages of squares by `shares`, one number for each parameter; returns every element's. */
type Squares = (gradients: Some, state: Lists['state'], shares: Tensor, floor: number) => Tensor[];

const everyElement: Squares = (gradients, state, shares) => {
  move(state('variance'), torch._foreachMul(gradients, gradients), shares);
  return torch._foreachMul(state('variance'), 1);
};

const rowsAndColumns: Squares = (gradients, state, shares, floor) => {
  const squares = torch._foreachMul(gradients, gradients);
  const meansOver = (dim: number) => squares.map((square) => square.mean([dim], { keepdim: true }));
  move(state('row_var'), meansOver(-1), shares);
  move(state('col_var'), meansOver(-2), shares);
  const [rows, columns] = [torch._foreachMul(state('row_var'), 1), torch._foreachMul(state('col_var'), 1)];
  const means = rows.map((row) => row.mean([-2], { keepdim: true }).clamp({ min: floor }));
  return rows.map((row, i) => row.matmul(columns[i] as Tensor).div_(means[i] as Tensor));
};

function move(averages: TensorList, values: Tensor[], shares: Tensor): void {
  torch._foreachSub_(values, averages);
  torch._foreachMul_(values, shares.unbind());
  torch._foreachAdd_(averages, values);
}

/** Root mean square of each tensor, float64 [tensors]; `roots` are those of the numbers of elements. */
const rms = (tensors: Some, roots: number[]): Tensor => {
  const norms = torch.stack(torch._foreachNorm(tensors)).double();
  return norms.div(tensor(roots, { dtype: 'float64', device: norms.device }));
};

/** Zeros in the shape of `param` summed over one dimension. */
function sumOver(param: Tensor, dim: number): Tensor {
  const shape = [...param.shape];
  shape[shape.length + dim] = 1;
  return torch.zeros(shape, { dtype: param.dtype, device: param.device });
}
