/** The three parameters and the loss of test/fixtures/make/{nn,adam,optim}.py. */
import torch, { nn, type Tensor } from '../../src/torch.js';
import { ramp } from './inputs.js';

export type Three = [a: nn.Parameter, b: nn.Parameter, late: nn.Parameter];

export function parameters(shapes: [number[], number[], number[]] = [[3, 4], [5], [2]]): Three {
  return shapes.map((shape, i) => new nn.Parameter(ramp(shape, { step: [41, 43, 47][i] as number }))) as Three;
}

/** Copies of the values, without gradients. */
export const copiesOf = (params: Three): Three =>
  params.map((parameter) => new nn.Parameter(parameter.detach().clone())) as Three;

/** Two groups, the second with a learning rate of its own. */
export const groupsOf = ([a, b, late]: Three): ({ params: Tensor[] } & { lr?: number })[] => [
  { params: [a] },
  { params: [b, late], lr: 0.02 },
];

/** PyTorch's option names to ours. */
export function optionsOf(given: Record<string, unknown>): Record<string, unknown> {
  const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [camel(name), value]));
}

/** Step `number`: forward, backward, update. The third parameter's first gradient comes late. */
export function step([a, b, late]: Three, optimizer: { zeroGrad(): void; step(): void }, number: number): void {
  torch.scope(() => {
    optimizer.zeroGrad();
    const first = a.sin().mul(number + 1);
    let loss = first.sum().add(b.square().sum().mul(0.3));
    if (number >= 5) loss = loss.add(late.pow(3).sum());
    loss.backward();
    optimizer.step();
  });
}
