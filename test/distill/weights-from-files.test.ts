import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { models, Teacher } from '../../src/index.js';
import { digestOf, endsOf } from '../../src/models/signature.js';
import { signatures } from '../../src/models/signatures.generated.js';
import torch, { loadPth, PthObject, savePth, saveSafetensors, type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';
import { fixturePath } from '../helpers/inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-weights-'));
afterAll(() => rmSync(folder, { recursive: true }));
const images = torch.randn([2, 1, 32, 32]);
const model = models.create('wrn_16_1', { numClasses: 6, inChannels: 1 }).eval().to({ memoryFormat: 'channelsLast' });
const state = model.stateDict();
const expected = torch.noGrad(() => model.forward(images));
type State = Record<string, Tensor>;

const sorted = (of: State): State => Object.fromEntries(Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)));
const reversed = (of: State): State => Object.fromEntries(Object.entries(of).reverse());
const prefixed = (prefix: string): State =>
  Object.fromEntries(Object.entries(state).map(([key, value]) => [prefix + key, value]));
const withoutCounters = (): State =>
  Object.fromEntries(Object.entries(state).filter(([key]) => !key.endsWith('num_batches_tracked')));

async function expectTeacher(file: string): Promise<void> {
  const teacher = await Teacher.load(`wrn_16_1:${file}`);
  expect([teacher.numClasses, teacher.featureChannels]).toEqual([6, 64]);
  expect(maxDifference(teacher.forward(images).logits, expected)).toBe(0);
  teacher.dispose();
}

describe('weights are found by the names of the layers', () => {
  // One of each family; the largest are left out, for their size.
  const small =
    'resnet8 wrn_16_1 vgg8 MobileNetV2 ShuffleV1 ShuffleV2 resnet18 mobilenet_v2 vit_tiny_patch16_224'.split(' ');
  it.each(models.list().filter((name) => small.includes(name)))('%s: in any order of the keys', async (name) => {
    await torch.asyncScope(async () => {
      const made = models.create(name, { numClasses: 7, inChannels: 4 });
      expect(signatures[name]).toEqual({ ...endsOf(made), digest: digestOf(made.stateDict(), endsOf(made)) });
      for (const order of [sorted, reversed]) {
        const file = join(folder, 'order.safetensors');
        saveSafetensors(file, order(made.stateDict()));
        const teacher = await Teacher.load(`${name}:${file}`);
        expect([teacher.numClasses, teacher.featureChannels]).toEqual([7, made.featureChannels]);
        teacher.dispose();
      }
      made.dispose();
    });
  });

  it.each([
    'module.',
    'model.',
    '_orig_mod.',
    'module._orig_mod.',
    '_orig_mod.module.',
    'module.model.',
    'student.',
    'backbone.',
    'model._orig_mod.module.',
  ])('under the prefix %s, next to weights of other things', async (prefix) => {
    const file = join(folder, 'prefix.pth');
    await savePth(file, {
      state_dict: { ...(prefix !== '_orig_mod.' && { 'criterion.weight': torch.ones([6]) }), ...prefixed(prefix) },
    });
    await expectTeacher(file);
  });

  it.each(['state_dict', 'model', 'state_dict_ema', 'ema', 'model_ema', 'net'])(
    'in %s of a checkpoint',
    async (key) => {
      const file = join(folder, 'checkpoint.pth');
      const optimizer = { state: new Map([[0, { exp_avg: torch.ones([3, 3]) }]]), param_groups: [] };
      await savePth(file, { epoch: 3, optimizer, [key]: state } as never);
      await expectTeacher(file);
    },
  );

  it('without num_batches_tracked, in any container and under any name of the file', async () => {
    const file = join(folder, 'weights.pth');
    await savePth(file, withoutCounters());
    await expectTeacher(file);
    for (const name of ['a.ckpt', 'b.th', 'c.pkl', 'd.PTH', 'e.tar', 'f.safetensors', 'g', 'h:i.bin']) {
      copyFileSync(file, join(folder, name));
      await expectTeacher(join(folder, name));
    }
    const safe = join(folder, 'weights.bin');
    saveSafetensors(safe, sorted(state));
    await expectTeacher(safe);
  });
});

describe('a file that is not a teacher by itself', () => {
  it.each(['resnet8', 'wrn_16_1', 'MobileNetV2'])('names the model whose weights it holds: %s', async (name) => {
    const file = join(folder, `${name}.pth`);
    await savePth(file, { model: models.create(name, { numClasses: 9, inChannels: 1 }).stateDict() });
    await expect(Teacher.load(file)).rejects.toThrow(`--teacher ${name}:${file}`);
    const safe = join(folder, `${name}.safetensors`);
    saveSafetensors(safe, models.create(name, { numClasses: 9 }).stateDict());
    await expect(Teacher.load(safe)).rejects.toThrow(`--teacher ${name}:${safe}`);
  });

  it('says what it is, and what to do', async () => {
    const write = (name: string, bytes: Uint8Array) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const onnx = write('m.onnx', Buffer.from('\x08\x08\x12\x07pytorch', 'latin1'));
    for (const source of [onnx, `resnet8:${onnx}`])
      await expect(Teacher.load(source)).rejects.toThrow(/ONNX[\s\S]*torch\.export\.save/);
    const keras = write('m.h5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'));
    await expect(Teacher.load(keras)).rejects.toThrow(/HDF5/);
    await expect(Teacher.load(`resnet8:${fixturePath('teachers/plain.scripted.pt')}`)).rejects.toThrow(
      /TorchScript module, which needs no model name/,
    );
    const other = join(folder, 'other.pth');
    await savePth(other, { 'a.weight': torch.ones([2, 2]) });
    await expect(Teacher.load(other)).rejects.toThrow(
      /--teacher '?MODEL:[\s\S]*torch\.export\.save[\s\S]*torch\.jit\.trace/,
    );
  });
});

describe('objects of unknown classes', () => {
  it.each(['zip', 'legacy'])('are refused, or read as data where that is asked for: %s', async (form) => {
    const file = fixturePath(`files/refused-module-${form}.pth`);
    await expect(loadPth(file)).rejects.toThrow(/unknown: 'opaque'/);
    const module = (await loadPth(file, { unknown: 'opaque' })) as PthObject;
    expect(module).toBeInstanceOf(PthObject);
    expect(module.type).toBe('torch.nn.modules.linear.Linear');
  });

  const python = process.env.SRRL_PYTHON;
  it.skipIf(!python)(
    'next to the weights, written by Python, run no code',
    async () => {
      const weights = join(folder, 'state.pth');
      await savePth(weights, state);
      const script = fixturePath('../make/checkpoints.py');
      const names = execFileSync(python as string, [script, weights, folder], { encoding: 'utf8' })
        .trim()
        .split('\n');
      expect(names.length).toBeGreaterThan(10);
      for (const name of names) {
        try {
          await expectTeacher(join(folder, name));
        } catch (error) {
          throw new Error(`${name}: ${error}`, { cause: error });
        }
      }
      expect(existsSync(join(folder, 'code-was-run'))).toBe(false);
    },
    120_000,
  );
});
