/** `.pt2` files: read by Python's torch.export.load where there is one, and by the reader of exported teachers. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadExported } from '../../src/distill/exported/load.js';
import { writeProgram } from '../../src/export/pt2/archive.js';
import { json, Real } from '../../src/export/pt2/json.js';
import { savePth } from '../../src/files/index.js';
import { ExportError, exportStudent, models, traceGraph } from '../../src/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';

const F = nn.functional;
const folder = mkdtempSync(join(tmpdir(), 'srrl-pt2-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * What is special in the format: sizes computed from the batch, lists and pairs of results, dtypes, constants, names.
 */
class Special extends nn.Module {
  readonly stem = new nn.Conv2d(3, 8, 3, { padding: 1 });
  readonly norm = new nn.GroupNorm(2, 8);
  readonly head = new nn.Linear(8, 5);
  readonly offset = torch.full([8, 1, 1], 0.25, { dtype: 'float32' });

  forward(x: Tensor): Tensor {
    const [n] = x.shape as [number];
    let y = F.gelu(this.norm.forward(this.stem.forward(x)), { approximate: 'tanh' }).add(this.offset);
    y = y
      .reshape([n * 2, 4, 8, 8])
      .mul(3)
      .reshape([n, 8, 8, 8]);
    const [a, , b] = y.chunk(4, 1) as [Tensor, Tensor, Tensor];
    const [largest] = y.max(3);
    y = torch.cat([a, b, y.narrow(1, 0, 4)], 1).add(largest.unsqueeze(3).to('float64').to('float32'));
    y = F.interpolate(y, { scaleFactor: 2, mode: 'bilinear' });
    return this.head.forward(y.mean([2, 3]).div(1e-3).mul(1e-3));
  }
}

torch.manualSeed(3);
const networks: Record<string, nn.Module> = {
  resnet8: models.create('resnet8', { numClasses: 10 }),
  Special: new Special(),
};
/** Sides of the images. */
const sides: Record<string, number> = { Special: 8 };
const image = (name: string) => [3, sides[name] ?? 32, sides[name] ?? 32];
const batches = [1, 3, 32];

describe.each(Object.keys(networks))('%s as .pt2', (name) => {
  const model = networks[name] as nn.Module;
  const file = join(folder, `${name}.pt2`);

  it('is verified, and read by the reader of teachers', async () => {
    const { verification, card, bytes } = await exportStudent({ model, image: image(name) }, file);
    expect(verification).toMatchObject({ source: 'synthetic images', sameTop1: 1 });
    expect(verification.maxDifference).toBeLessThan(1e-5);
    expect(card).toMatchObject({ batch: 'dynamic', precision: 'float32' });
    expect(bytes).toBeGreaterThan(4 * model.numParameters());
    const { module, batch } = await loadExported(file);
    expect(batch).toBeUndefined();
    const images = torch.randn([7, ...image(name)]);
    const wanted = torch.noGrad(() => (model.eval().forward as (x: Tensor) => Tensor).call(model, images));
    expect(maxDifference(torch.noGrad(() => module.forward(images)) as Tensor, wanted)).toBeLessThan(1e-5);
    module.dispose();
  });

  it('is written for one number of images', async () => {
    const fixed = join(folder, `${name}.fixed.pt2`);
    const { card } = await exportStudent({ model, image: image(name) }, fixed, { batch: '4', fold: true });
    expect(card).toMatchObject({ batch: 4, folded: true });
    const { module, batch } = await loadExported(fixed);
    expect(batch).toBe(4);
    module.dispose();
  });
});

const program = `
import sys, json, pathlib, torch
folder = pathlib.Path(sys.argv[1])
torch.set_num_threads(1)
found = {}
for name in ("resnet8", "Special"):
    data = torch.load(folder / f"{name}.pth", weights_only=True)
    extra = {"srrl.json": ""}
    exported = torch.export.load(folder / f"{name}.pt2", extra_files=extra)
    module = exported.module()
    decomposed = exported.run_decompositions().module()
    unflattened = torch.export.unflatten(exported)
    entry = {
        "model": json.loads(extra["srrl.json"])["model"],
        "example": list(exported.example_inputs[0][0].shape),
        "keys": list(module.state_dict().keys()),
        "equal": all(torch.equal(tensor, data["state"][key]) for key, tensor in module.state_dict().items()),
        "differences": [float((forward(x) - y).abs().max()) for x, y in zip(data["x"], data["y"]) for forward in (module, decomposed, unflattened)],
        "modules": sorted({entry[0] for node in exported.graph.nodes for entry in (node.meta.get("nn_module_stack") or {}).values()}),
    }
    fixed = torch.export.load(folder / f"{name}.fixed.pt2").module()
    x = torch.cat([data["x"][1], data["x"][0]])
    entry["fixed"] = float((fixed(x) - module(x)).abs().max())
    try:
        fixed(data["x"][1])
        entry["refused"] = False
    except Exception as error:
        entry["refused"] = True
    found[name] = entry
print(json.dumps(found))
`;

describe.skipIf(!process.env.SRRL_PYTHON)('torch.export.load', () => {
  type Found = Record<
    'model' | 'example' | 'keys' | 'equal' | 'differences' | 'modules' | 'fixed' | 'refused',
    unknown
  >;
  let found: Record<string, Found>;
  beforeAll(async () => {
    for (const [name, model] of Object.entries(networks)) {
      const x = batches.map((count) => torch.randn([count, ...image(name)]));
      const y = torch.noGrad(() =>
        x.map((images) => (model.eval().forward as (x: Tensor) => Tensor).call(model, images)),
      );
      savePth(join(folder, `${name}.pth`), { x, y, state: model.stateDict() });
    }
    const run = spawnSync(process.env.SRRL_PYTHON as string, ['-W', 'ignore', '-c', program, folder], {
      encoding: 'utf8',
    });
    expect(run.status, run.stderr).toBe(0);
    found = JSON.parse(run.stdout);
  }, 300_000);

  it.each(Object.keys(networks))('runs %s on 1, 3 and 32 images, also decomposed and unflattened', (name) => {
    const { differences, model, example } = found[name] as Found;
    expect(example).toEqual([2, ...image(name)]);
    expect(differences).toHaveLength(9);
    expect(Math.max(...(differences as number[]))).toBeLessThanOrEqual(1e-4);
    expect(model).toBe(name === 'Special' ? 'Special' : networks[name]?.constructor.name);
  });

  it.each(Object.keys(networks))('finds the weights of %s by name', (name) => {
    const { keys, equal } = found[name] as Found;
    expect(keys).toEqual(Object.keys((networks[name] as nn.Module).stateDict()));
    expect(equal).toBe(true);
  });

  it('knows the modules that operators were called in', () => {
    expect((found.resnet8 as Found).modules).toEqual(
      expect.arrayContaining(['', 'layer1', 'layer1.0', 'layer1.0.conv1']),
    );
  });

  it.each(Object.keys(networks))('takes no other number of images for %s of a fixed one', (name) => {
    expect(found[name]).toMatchObject({ refused: true });
    expect((found[name] as Found).fixed).toBeLessThanOrEqual(1e-4);
  });
});

describe('what goes wrong', () => {
  it('names the operator and the module that called it', () => {
    const model = models.create('resnet8', { numClasses: 10 });
    const graph = traceGraph(model, [3, 32, 32]);
    const nodes = graph.nodes.map((node, i) =>
      i === 3 ? { ...node, op: 'srrl::conv', scope: 'layer1.0.conv1' } : node,
    );
    const file = join(folder, 'refused.pt2');
    const write = () => writeProgram(file, { ...graph, nodes }, '{}');
    expect(write).toThrow(ExportError);
    expect(write).toThrow(/srrl::conv \(module layer1\.0\.conv1.*\) cannot be written as \.pt2: .*aten/);
    const inPlace = graph.nodes.map((node) => (node.op === 'aten::relu' ? { ...node, op: 'aten::relu_' } : node));
    expect(() => writeProgram(file, { ...graph, nodes: inPlace }, '{}')).toThrow(
      /relu_.* writes into a tensor in place/,
    );
    const weights = new Map([...graph.weights].map(([name, weight]) => [name.replace('conv1', 'class'), weight]));
    expect(() => writeProgram(file, { ...graph, weights }, '{}')).toThrow(/class\.weight cannot be written.*'class'/);
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

it('refuses a size that is not a multiple of the number of images', async () => {
  class Gram extends nn.Module {
    forward(x: Tensor): Tensor {
      const rows = x.flatten(1);
      return rows.add(rows.matmul(rows.t()).flatten().sum());
    }
  }
  await expect(exportStudent({ model: new Gram(), image: [3, 2, 2] }, join(folder, 'gram.pt2'))).rejects.toThrow(
    /aten::(flatten|reshape) .*cannot be written as \.pt2: a size of its result is not a multiple/,
  );
});

it('writes numbers as the kind that they are', () => {
  const text = json({ a: 1, b: new Real(1), c: new Real(1e-7), d: 2 ** 63, e: new Real(-0), f: new Real(Infinity) });
  expect(text).toBe('{"a":1,"b":1.0,"c":1e-7,"d":9223372036854775807,"e":-0.0,"f":"Infinity"}');
});
