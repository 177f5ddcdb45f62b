import { Linear, ReLU, Sequential } from '../../nn/index.js';
import { keep, scope, type Tensor, functions as torch } from '../../tensor/index.js';
import { milliseconds } from '../clock.js';
import type { Case, Suite } from '../suite.js';

/** A call, and the tensors that it holds. */
interface Call {
  call: () => unknown;
  held: { dispose(): void }[];
}

const random = (...shape: number[]): Tensor => scope(() => keep(torch.randn(shape)));

/** Calls by name; bench/peers/ops.py has the same work under the same names. */
const calls: Record<string, () => Call> = {
  'add 8x8'() {
    const [a, b] = [random(8, 8), random(8, 8)];
    return { call: () => a.add(b), held: [a, b] };
  },
  'conv2d 1x3x8x8'() {
    const [image, kernel] = [random(1, 3, 8, 8), random(4, 3, 3, 3)];
    return { call: () => torch.conv2d(image, kernel), held: [image, kernel] };
  },
  'sum over dims'() {
    const stack = random(4, 8, 8);
    return { call: () => stack.sum([0, 2]), held: [stack] };
  },
  'MLP forward and backward'() {
    const x = random(1, 16);
    const layers = scope(() => [new Linear(16, 32), new ReLU(), new Linear(32, 32), new ReLU(), new Linear(32, 4)]);
    const mlp = new Sequential(...layers);
    const call = () => {
      mlp.zeroGrad();
      (mlp.forward(x) as Tensor).sum().backward();
    };
    return { call, held: [x, mlp] };
  },
};

/** Calls per scope, about as many as in a training step. */
const scoped = 500;

function several(call: () => unknown, count: number): void {
  for (let i = 0; i < count; i++) call();
}

function caseOf(name: string, work: string, count: number, scopes: boolean): Case {
  return {
    name,
    unit: 'ns',
    better: 'lower',
    peers: [{ name: 'Python', variant: work }],
    open() {
      const { call, held } = (calls[work] as () => Call)();
      const inScopes = () => {
        for (let done = 0; done < count; done += scoped) scope(() => several(call, scoped));
      };
      return {
        question: { calls: count },
        measure: async () => (1e6 * (await milliseconds(scopes ? inScopes : () => several(call, count)))) / count,
        dispose: () => {
          for (const thing of held) thing.dispose();
        },
      };
    },
  };
}

export const opsSuite: Suite = {
  name: 'ops',
  summary: 'what a call of an operator costs, a scope every 500 calls',
  peer: 'ops.py',
  rounds: 15,
  threads: 1,
  cpuOnly: 'what a call costs the CPU is the same',
  cases({ tiny }) {
    const count = tiny ? scoped : 5000;
    const usual = Object.keys(calls).map((work) => caseOf(work, work, count, true));
    return [...usual, caseOf('add 8x8, no scope', 'add 8x8', count, false)];
  },
};
