import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportStudent, models, openDataset, ProjectedClassifier, Projector, saveStudent } from '../../src/index.js';
import torch, { loadSafetensors, nn, savePth, type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';

const python = process.env.SRRL_PYTHON;
const folder = mkdtempSync(join(tmpdir(), 'srrl-export-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const card = { model: 'resnet8', numClasses: 10, inChannels: 1, data: 'shapes:120?test=60', input: [1, 32, 32] };
const run = join(folder, 'run');

/** Statistics of a network that has seen images, so that its logits are neither tiny nor huge. */
function settled<M extends nn.Module>(model: M, image: number[]): M {
  torch.noGrad(() => {
    for (let i = 0; i < 20; i++)
      torch.scope(() => (model.train() as unknown as nn.Layer).forward(torch.randn([8, ...image])));
  });
  return model.eval();
}

beforeAll(async () => {
  const data = await openDataset(card.data);
  const image = [data.channels, data.height, data.width];
  const known = { ...card, numClasses: data.classes.length, inChannels: data.channels, input: image };
  torch.manualSeed(3);
  mkdirSync(run);
  saveStudent(
    join(run, 'student.safetensors'),
    settled(models.create('resnet8', { numClasses: known.numClasses, inChannels: known.inChannels }), image) as never,
    known,
  );
});

describe('a run', () => {
  it.each(['.onnx', '.torchscript.pt', '.safetensors', '.pth'])(
    'as %s, verified on its test images',
    async (ending) => {
      const file = join(folder, `student${ending}`);
      const { verification, bytes, card: written } = await exportStudent(run, file, { images: 40 });
      expect(existsSync(file)).toBe(true);
      expect(bytes).toBeGreaterThan(100_000);
      expect(written.classes).toHaveLength(written.numClasses);
      expect(verification.maxDifference).toBeLessThan(1e-4);
      expect(verification.sameTop1).toBe(1);
      if (ending === '.onnx')
        expect(verification).toMatchObject({ images: 40, source: expect.stringMatching(/^test images/) });
    },
  );

  it.each([
    ['.onnx', { fold: true }],
    ['.onnx', { half: true }],
    ['.onnx', { withPreprocessing: true }],
    ['.onnx', { batch: '4', opset: 21 }],
    ['.torchscript.pt', { fold: true, withPreprocessing: true }],
    ['.torchscript.pt', { half: true }],
  ])('as %s with %o', async (ending, options) => {
    const { verification, card: written } = await exportStudent(run, join(folder, `options${ending}`), {
      images: 8,
      ...options,
    });
    expect(verification.images).toBe(8);
    expect(verification.sameTop1).toBe(1);
    expect(written.returns).toBe('withPreprocessing' in options ? 'probabilities' : 'logits');
  });

  it('in 8 bits, with the accuracy before and after; refused where it loses too much', async () => {
    const file = join(folder, 'int8.onnx');
    const { card: written } = await exportStudent(run, file, { int8: true, calibration: 64, maxLoss: 100 });
    expect(written).toMatchObject({ precision: 'int8', quantization: { calibrationImages: 64, images: 60 } });
    rmSync(file);
    await expect(exportStudent(run, file, { int8: true, half: true })).rejects.toThrow(/Choose half or int8/);
    expect(existsSync(file)).toBe(false);
  });

  it('says what it cannot do, and leaves nothing behind', async () => {
    const before = readdirSync(folder).sort();
    const out = (name: string) => join(folder, name);
    await expect(exportStudent(run, out('a.h5'))).rejects.toThrow(
      /says no format[\s\S]*\.onnx[\s\S]*\.torchscript\.pt/,
    );
    await expect(exportStudent(run, out('a.pth'), { fold: true })).rejects.toThrow(
      /cannot be written with the option fold/,
    );
    await expect(exportStudent(run, out('a.onnx'), { tolerance: 1e-12 })).rejects.toThrow(/was not written.*differ/);
    await expect(exportStudent(run, out('a.onnx'), { data: 'shapes:10?test=10&size=64' })).rejects.toThrow();
    await expect(exportStudent(out('nowhere'), out('a.onnx'))).rejects.toThrow(/is not a run folder/);
    await expect(exportStudent(run, '/dev/full/a.onnx')).rejects.toThrow(/cannot be written/);
    const unfinished = out('unfinished');
    mkdirSync(unfinished);
    writeFileSync(join(unfinished, 'config.yaml'), 'data: shapes\n');
    await expect(exportStudent(unfinished, out('a.onnx'))).rejects.toThrow(/has not finished. Resume it/);
    rmSync(unfinished, { recursive: true });
    expect(readdirSync(folder).sort()).toEqual(before);
  });
});

class Windows extends nn.Module {
  readonly conv = new nn.Conv2d(3, 8, 3, { padding: 1 });
  readonly norm = new nn.BatchNorm2d(8);
  readonly heads = new nn.ModuleList([new nn.Linear(64, 16), new nn.Linear(16, 5)]);
  readonly drop = new nn.Dropout(0.5);

  forward(x: Tensor): Tensor {
    const count = x.shape[0] as number;
    const maps = torch.relu(this.norm.forward(this.conv.forward(x)));
    const windows = maps
      .reshape([count, 8, 4, 2, 4, 2])
      .permute([0, 2, 4, 1, 3, 5])
      .reshape([count * 16, 32]);
    const pooled = windows.reshape([count, 16, 32]).mean(1).reshape([count, -1]);
    const [first, second] = [...this.heads] as [nn.Linear, nn.Linear];
    return second.forward(this.drop.forward(torch.relu(first.forward(torch.cat([pooled, pooled], 1)))));
  }
}

describe('a model of your own', () => {
  it.each(['.onnx', '.torchscript.pt'])('that computes with the number of images, as %s', async (ending) => {
    const model = settled(new Windows(), [3, 8, 8]).train();
    const file = join(folder, `own${ending}`);
    const { verification, card: written } = await exportStudent({ model, image: [3, 8, 8] }, file);
    expect(verification).toMatchObject({ source: 'synthetic images', images: 32, sameTop1: 1 });
    expect(written).toMatchObject({ model: 'Windows', numClasses: 5 });
    expect([...model.namedModules()].every(([, { training }]) => training)).toBe(true);
  });

  const own = (forward: (x: Tensor) => Tensor) => {
    class Own extends nn.Module {
      readonly fc = new nn.Linear(12, 3);
      forward(x: Tensor): Tensor {
        return this.fc.forward(forward(x.flatten(1)));
      }
    }
    return exportStudent({ model: new Own(), image: [3, 2, 2] }, join(folder, 'refused.onnx'));
  };

  it('is refused by the line that cannot be exported', async () => {
    await expect(own((x) => x.cumprod(1))).rejects.toThrow(
      /aten::cumprod \(.*export\.test\.ts:\d+\) has no form in ONNX/,
    );
    await expect(own((x) => x.mul(x.sum().item() as number))).rejects.toThrow(
      /export\.test\.ts:\d+: the values of a tensor are read in JavaScript/,
    );
    await expect(own((x) => ((x.shape[0] as number) > 2 ? x.relu() : x))).rejects.toThrow(
      /other operators for 3 images/,
    );
    await expect(own((x) => x.mul(0.3 * (x.shape[0] as number)))).rejects.toThrow(/depends on the number of images/);
    const classes = exportStudent({ model: new Windows(), image: [3, 8, 8], classes: ['a'] }, join(folder, 'x.onnx'));
    await expect(classes).rejects.toThrow(/has 1 names; the model has 5/);
    expect(existsSync(join(folder, 'refused.onnx'))).toBe(false);
  });

  it('of SimKD brings its projector along', async () => {
    const student = models.create('resnet8', { numClasses: 10 });
    const model = settled(
      new ProjectedClassifier(student, new Projector(64, 32), new nn.Linear(32, 10), [32, 4, 4]),
      [3, 32, 32],
    );
    const { verification } = await exportStudent({ model, image: [3, 32, 32] }, join(folder, 'simkd.onnx'));
    expect(verification.sameTop1).toBe(1);
  });
});

const names = ['resnet8', 'ShuffleV2', 'mobilenet_v3_small', 'vit_small_patch16_224'];
const program = `
import json, sys, pathlib, numpy, torch, onnx, onnxruntime
folder, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
out = {}
for name in names:
    images = torch.load(folder / f'{name}.images.pth')
    extra = {'srrl.json': ''}
    script = torch.jit.load(str(folder / f'{name}.pt'), _extra_files=extra).eval()
    model = onnx.load(str(folder / f'{name}.onnx'))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(str(folder / f'{name}.onnx'), providers=['CPUExecutionProvider'])
    shape = session.get_inputs()[0].shape
    with torch.no_grad():
        out[f'{name}.script'] = script(images).clone()
    out[f'{name}.onnx'] = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: images.numpy()})[0])
    card = json.loads({p.key: p.value for p in model.metadata_props}['srrl'])
    assert card['model'] == json.loads(extra['srrl.json'])['model'], card
    assert shape[0] == 'batch' and list(card['input']) == shape[1:], shape
    initializers = {i.name for i in model.graph.initializer}
    state = set(script.state_dict())
    assert {n for n in state if n.endswith('weight')} <= initializers, state - initializers
torch.save(out, folder / 'python.pth')
`;

describe.skipIf(!python)('Python (SRRL_PYTHON is set)', () => {
  it('runs the files, and finds names, shapes and card in them', async () => {
    const models_ = new Map<string, Tensor>();
    for (const name of names) {
      const size = models.modelFamilies.find((family) => family.names.includes(name))?.imageSize as number;
      const model = settled(models.create(name, { numClasses: 10 }), size > 32 ? [3, 224, 224] : [3, 32, 32]);
      const image = [3, size, size];
      for (const ending of ['.onnx', '.pt'])
        await exportStudent({ model, image }, join(folder, `${name}${ending}`), { images: 2 });
      const images = torch.randn([3, ...image]);
      savePth(join(folder, `${name}.images.pth`), images);
      models_.set(
        name,
        torch.noGrad(() => model.forward(images)),
      );
    }
    const { status, stderr } = spawnSync(python as string, ['-c', program, folder, ...names], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const { loadPth } = await import('../../src/torch.js');
    const held = (await loadPth(join(folder, 'python.pth'))) as Record<string, Tensor>;
    for (const [name, expected] of models_) {
      const scale = Math.max(1, expected.abs().max().item() as number);
      for (const kind of ['script', 'onnx'])
        expect(maxDifference(held[`${name}.${kind}`] as Tensor, expected) / scale).toBeLessThan(1e-4);
    }
  }, 300_000);
});

it('weights keep their names and numbers', async () => {
  const file = join(folder, 'again.safetensors');
  await exportStudent(run, file);
  const [a, b] = [loadSafetensors(file), loadSafetensors(join(run, 'student.safetensors'))];
  expect(Object.keys(a.tensors)).toEqual(Object.keys(b.tensors));
});
