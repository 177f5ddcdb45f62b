import { describe, expect, it } from 'vitest';
import torch, {
  AutogradFunction,
  type FunctionContext,
  GradcheckError,
  nn,
  optim,
  type Tensor,
} from '../../src/torch.js';

const leaf = (values: number[]) => torch.tensor(values, { dtype: 'float64', requiresGrad: true });

class Cube extends AutogradFunction {
  static forward(context: FunctionContext, x: Tensor): Tensor {
    context.saveForBackward(x);
    return x.pow(3);
  }

  static backward(context: FunctionContext, gradient: Tensor): Tensor {
    const [x] = context.savedTensors as [Tensor];
    return gradient.mul(x.pow(2)).mul(3);
  }
}

class Exp extends AutogradFunction {
  static forward(context: FunctionContext, x: Tensor): Tensor {
    const y = x.exp();
    context.saveForBackward(y);
    return y;
  }

  static backward(context: FunctionContext, gradient: Tensor): Tensor {
    return gradient.mul(context.savedTensors[0] as Tensor);
  }
}

class SumAndMax extends AutogradFunction {
  static forward(context: FunctionContext, x: Tensor, scale: number): Tensor[] {
    const largest = x.argmax();
    context.markNonDifferentiable(largest);
    context.scale = scale;
    context.shape = x.shape;
    return [x.sum().mul(scale), largest];
  }

  static backward(context: FunctionContext, gradient: Tensor): (Tensor | null)[] {
    return [gradient.mul(context.scale as number).expand(context.shape as number[]), null];
  }
}

describe('custom functions', () => {
  it('have the gradient that was written, to the second order', () => {
    const x = leaf([1, -2, 0.5]);
    expect(torch.autograd.gradcheck((t) => Cube.apply(t), [x])).toBe(true);
    expect(torch.autograd.gradgradcheck((t) => Cube.apply(t), [x])).toBe(true);
    expect(torch.autograd.gradcheck((t) => Exp.apply(t), [x])).toBe(true);
    expect(torch.autograd.gradgradcheck((t) => Exp.apply(t), [x])).toBe(true);
    const y = Cube.apply(x);
    expect(y.gradFn).toBe('JavaScriptBackward');
    y.sum().backward();
    expect(x.grad?.tolist()).toEqual([3, 12, 0.75]);
  });

  it('take other values than tensors and give several outputs', () => {
    const x = leaf([1, 5, 2]);
    const [sum, largest] = SumAndMax.apply(x, 10) as [Tensor, Tensor];
    expect([sum.item(), largest.item(), largest.requiresGrad]).toEqual([80, 1, false]);
    sum.backward();
    expect(x.grad?.tolist()).toEqual([10, 10, 10]);
  });

  it('record nothing without a gradient to compute', () => {
    expect(torch.noGrad(() => Cube.apply(leaf([1])).requiresGrad)).toBe(false);
    expect(Cube.apply(torch.ones([2])).requiresGrad).toBe(false);
  });

  it('pass errors of the backward pass on to the caller, and the engine works afterwards', () => {
    class Broken extends AutogradFunction {
      static forward(_context: FunctionContext, x: Tensor): Tensor {
        return x.mul(2);
      }

      static backward(): Tensor {
        throw new RangeError('on purpose');
      }
    }
    class Short extends AutogradFunction {
      static forward(_context: FunctionContext, x: Tensor, y: Tensor): Tensor {
        return x.add(y);
      }

      static backward(_context: FunctionContext, gradient: Tensor): Tensor {
        return gradient;
      }
    }
    const x = leaf([1]);
    expect(() => Broken.apply(x).sum().backward()).toThrow(RangeError);
    expect(() => Short.apply(x, x).sum().backward()).toThrow(/1 gradients for 2 inputs/);
    x.mul(3).sum().backward();
    expect(x.grad?.tolist()).toEqual([3]);
  });

  it('free what they kept', () => {
    const before = torch.memory().tensors;
    for (let i = 0; i < 20; i++)
      torch.scope(() =>
        Exp.apply(leaf([1, 2]))
          .sum()
          .backward(),
      );
    expect(torch.memory().tensors).toBe(before);
  });

  it('cannot run their backward pass off the event loop, and say so', async () => {
    const y = Cube.apply(leaf([1])).sum();
    await expect(y.backwardAsync()).rejects.toThrow(/use backward\(\)/);
  });
});

describe('gradcheck', () => {
  it('finds a wrong gradient', () => {
    class Wrong extends AutogradFunction {
      static forward(context: FunctionContext, x: Tensor): Tensor {
        context.saveForBackward(x);
        return x.sin();
      }

      static backward(context: FunctionContext, gradient: Tensor): Tensor {
        return gradient.mul((context.savedTensors[0] as Tensor).cos()).mul(1.01);
      }
    }
    expect(() => torch.autograd.gradcheck((t) => Wrong.apply(t), [leaf([0.3, 1])])).toThrow(GradcheckError);
    expect(() => torch.autograd.gradcheck((t) => t.sin(), [torch.ones([1], { requiresGrad: true })])).toThrow(
      /float64/,
    );
  });
});

describe('hooks', () => {
  it('see and replace gradients until they are removed', () => {
    const x = leaf([1, 2]);
    const y = x.mul(2);
    const seen: unknown[] = [];
    const handle = y.registerHook((gradient) => {
      seen.push(gradient.tolist());
      return gradient.mul(10);
    });
    y.sum().backward(null, { retainGraph: true });
    expect(seen).toEqual([[1, 1]]);
    expect(x.grad?.tolist()).toEqual([20, 20]);
    handle.remove();
    y.sum().backward();
    expect(x.grad?.tolist()).toEqual([22, 22]);
    expect(() => torch.ones([1]).registerHook(() => undefined)).toThrow(/requires a gradient/);
  });
});

describe('checkpoint', () => {
  it('gives the gradients of the plain computation, of inputs and of parameters, with the same dropout', () => {
    const layer = new nn.Linear(4, 4).to({ dtype: 'float64' });
    const x = torch.randn([3, 4], { dtype: 'float64' });
    const body = (input: Tensor) => torch.dropout(layer.forward(input).tanh(), 0.5, true);
    const gradients = (run: (input: Tensor) => Tensor) => {
      torch.manualSeed(1);
      layer.zeroGrad();
      const input = x.clone().requiresGrad_();
      run(input).square().sum().backward();
      return [input.grad as Tensor, layer.weight.grad as Tensor];
    };
    const [plain, recomputed] = [gradients(body), gradients((input) => torch.checkpoint(body, input))];
    for (const [i, gradient] of plain.entries())
      expect(gradient.allclose(recomputed[i] as Tensor, 1e-12, 1e-12)).toBe(true);
  });
});

describe('anomaly mode', () => {
  it('stops at the node that makes a NaN', () => {
    const x = leaf([0]);
    const make = () => x.sqrt().mul(0).sum();
    expect(() => torch.autograd.detectAnomaly(() => make().backward())).toThrow(/SqrtBackward0.*nan/i);
    make().backward();
    expect(x.grad?.isnan().item()).toBe(true);
  });
});

describe('autocast', () => {
  it('computes in bfloat16 where that is safe, and trains', () => {
    const layer = new nn.Linear(8, 8);
    const x = torch.randn([4, 8]);
    const y = torch.autocast('cpu', () => layer.forward(x));
    expect(y.dtype).toBe('bfloat16');
    expect(layer.forward(x).dtype).toBe('float32');
    expect(torch.autocast('cpu', () => torch.autocast('cpu', () => layer.forward(x), { enabled: false })).dtype).toBe(
      'float32',
    );
    const optimizer = new optim.SGD(layer.parameters(), { lr: 0.1 });
    const loss = () => torch.autocast('cpu', () => layer.forward(x).float().square().mean());
    const before = Number(loss().item());
    for (let i = 0; i < 20; i++) {
      optimizer.zeroGrad();
      loss().backward();
      optimizer.step();
    }
    expect(layer.weight.dtype).toBe('float32');
    expect(Number(loss().item())).toBeLessThan(before);
    expect(() => torch.autocast('cpu', async () => x)).toThrow(/synchronous/);
  });
});
