import { describe, expect, it } from 'vitest';
import { native } from '../../src/native.js';
import { DeviceGraph, GraphPool, keep } from '../../src/tensor/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { addDevice, device, isMock, isThere } from '../helpers/device.js';

addDevice();

const on = (tensor: Tensor) => keep(tensor.to({ device }));
const cpu = (tensor: Tensor) => tensor.to({ device: 'cpu' });

const poolOf = (graph: DeviceGraph) => native().graphPool((graph as unknown as { handle: number }).handle);

describe.runIf(isThere)('recorded work', () => {
  it('is done when it is replayed, with what its tensors then hold', () => {
    const [x, sum] = [on(torch.ones([3])), on(torch.zeros([3]))];
    let twice: Tensor | undefined;
    const graph = DeviceGraph.record(device, () => {
      twice = keep(x.mul(2));
      sum.add_(twice);
    });
    expect(cpu(sum).tolist()).toEqual([0, 0, 0]);
    graph.replay();
    x.fill_(5);
    graph.replay();
    expect(cpu(twice as Tensor).tolist()).toEqual([10, 10, 10]);
    expect(cpu(sum).tolist()).toEqual([12, 12, 12]);
    graph.dispose();
    expect(() => graph.replay()).toThrow(/disposed/);
  });

  it('may be a network with its gradients', () => {
    const layer = new nn.Linear(4, 2).to({ device });
    const x = on(torch.randn([5, 4]));
    const graph = DeviceGraph.record(device, () => torch.scope(() => layer.forward(x).pow(2).sum().backward()));
    const given = torch.randn([5, 4]);
    x.copy_(given.to({ device }));
    graph.replay();
    const actual = cpu(layer.weight.grad as Tensor);
    const alone = layer.to({ device: 'cpu' });
    alone.zeroGrad();
    alone.forward(given).pow(2).sum().backward();
    expect(actual.allclose(alone.weight.grad as Tensor)).toBe(true);
    graph.dispose();
  });

  it('cannot wait for the device; then nothing is recorded any more', () => {
    const x = on(torch.ones([1]));
    expect(() => DeviceGraph.record(device, () => void x.item())).toThrow(/while a graph is recorded|captur/);
    expect(() => DeviceGraph.record(device, () => void x.add(torch.ones([1]).to({ device })))).toThrow(
      /while a graph is recorded|captur/,
    );
    expect(x.add(1).item()).toBe(2);
  });

  it('may go in branches, also in more than there are streams', () => {
    const parts = Array.from({ length: 20 }, (_, i) => on(torch.full([3], i, { dtype: 'float32' })));
    const [x, sum] = [on(torch.ones([3])), on(torch.zeros([3]))];
    const branches = parts.length;
    const graph = DeviceGraph.record(
      device,
      (graph) => {
        x.mul_(2);
        for (const part of parts) graph.aside(() => part.add_(x));
        graph.join();
        for (const part of parts) sum.add_(part);
        // After a join, branches start again.
        graph.aside(() => x.add_(1));
        graph.join();
      },
      { branches },
    );
    graph.replay();
    graph.replay();
    // 2 and then 6 are added to each.
    expect(parts.map((part) => Number(cpu(part).sum().item()))).toEqual(parts.map((_, i) => 3 * (i + 2 + 6)));
    expect(cpu(sum).tolist()).toEqual(Array(3).fill(190 * 2 + 20 * 2 + 20 * 8));
    graph.dispose();
    expect(() => DeviceGraph.record(device, (none) => none.aside(() => {}), { branches: 0 })).toThrow(
      /without branches/,
    );
  });

  it.runIf(isMock)('is refused where branches use the same memory without waiting', () => {
    const [x, y] = [on(torch.ones([3])), on(torch.ones([3]))];
    const record = (body: (graph: DeviceGraph) => void) => () =>
      DeviceGraph.record(device, body, { branches: 2 }).dispose();
    const [readX, writeX] = [() => void y.add(x), () => void x.add_(1)];
    const same = /two branches of a recording use the same memory: aten::add/;
    for (const [first, second] of [
      [readX, writeX],
      [writeX, readX],
      [writeX, writeX],
    ] as const) {
      expect(
        record((graph) => {
          graph.aside(first);
          graph.aside(second);
        }),
      ).toThrow(same);
      expect(
        record((graph) => {
          graph.aside(first);
          second();
        }),
      ).toThrow(same);
      expect(
        record((graph) => {
          graph.aside(first);
          graph.join();
          second();
        }),
      ).not.toThrow();
    }
    expect(
      record((graph) => {
        graph.aside(readX);
        graph.aside(readX);
      }),
    ).not.toThrow();
  });

  it('takes memory from a pool, as long as a graph of it lives', () => {
    const [pool, other] = [new GraphPool(), new GraphPool()];
    const x = on(torch.ones([2]));
    const twice = (where?: GraphPool) =>
      DeviceGraph.record(device, () => torch.scope(() => void x.mul_(2)), { pool: where });
    const [first, second, apart, alone] = [twice(pool), twice(pool), twice(other), twice()];
    const graphs = [first, second, apart, alone];
    expect(pool.id).toEqual(poolOf(first));
    expect(poolOf(second)).toEqual(pool.id);
    for (const graph of [apart, alone]) expect(poolOf(graph)).not.toEqual(pool.id);
    for (const graph of graphs) graph.replay();
    expect(cpu(x).tolist()).toEqual([16, 16]);
    first.dispose();
    expect(pool.id).toBeDefined();
    for (const graph of [second, apart, alone]) graph.dispose();
    expect([pool.id, other.id]).toEqual([undefined, undefined]);
  });

  it('is for devices that can', () => {
    expect([DeviceGraph.availableOn(device), DeviceGraph.availableOn('cpu')]).toEqual([true, false]);
    expect(() => DeviceGraph.record('cpu', () => {})).toThrow(/work on cpu cannot be captured/);
  });
});
