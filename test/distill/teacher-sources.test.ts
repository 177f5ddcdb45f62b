import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { FastForm } from '../../src/distill/teacher-base.js';
import { ModelTeacher, models, ScriptTeacher, saveStudent, Teacher, TeacherError } from '../../src/index.js';
import { FrozenGraph } from '../../src/tensor/index.js';
import torch, { savePth, saveSafetensors, type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';
import { fixturePath } from '../helpers/inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-sources-'));
afterAll(() => rmSync(folder, { recursive: true }));
const images = torch.randn([3, 3, 32, 32]);
// In the layout of a teacher, so that convolutions take the same way.
const model = models.create('resnet8', { numClasses: 7 }).eval().to({ memoryFormat: 'channelsLast' });
const state = model.stateDict();
const expected = torch.noGrad(() => model.forwardFeatures(images));

async function written(name: string, value: unknown): Promise<string> {
  const file = join(folder, name);
  if (name.endsWith('.safetensors')) saveSafetensors(file, value as typeof state);
  else await savePth(file, value as never);
  return file;
}

describe('a teacher of the model zoo', () => {
  it.each([
    ['plain.pth', () => state],
    ['plain.safetensors', () => state],
    ['checkpoint.pth', () => ({ epoch: 3, state_dict: state })],
    ['parallel.pt', () => Object.fromEntries(Object.entries(state).map(([key, value]) => [`module.${key}`, value]))],
  ])('comes from %s, with its maps', async (name, content) => {
    const teacher = await Teacher.load(`resnet8:${await written(name, content())}`);
    expect([teacher.numClasses, teacher.featureChannels, teacher.classifierName]).toEqual([7, 64, 'fc']);
    const features = teacher.forward(images);
    expect(maxDifference(features.logits, expected.logits)).toBe(0);
    expect(features.stages.map(({ shape }) => shape[1])).toEqual([16, 32, 64]);
    expect(maxDifference(teacher.classify(features.pooled), features.logits)).toBeLessThan(1e-5);
    expect(features.logits.requiresGrad || teacher.weight.requiresGrad).toBe(false);
    teacher.dispose();
  });

  it('is refused with the reason', async () => {
    const file = await written('other.pth', models.create('vgg8', { numClasses: 7 }).stateDict());
    await expect(Teacher.load(`resnet8:${file}`)).rejects.toThrow(/are not those of resnet8[\s\S]*missing/);
    await expect(Teacher.load(`resnet9:${file}`)).rejects.toThrow(/no model 'resnet9'.*Did you mean/);
    await expect(Teacher.load(`resnet8:${file}`, { tap: 'fc' })).rejects.toThrow(
      /--tap fc is for teachers from torch.export/,
    );
    const numbers = await written('numbers.pth', { a: 1, b: [2, 3] });
    await expect(Teacher.load(`resnet8:${numbers}`)).rejects.toThrow(/holds no state dict/);
    await expect(Teacher.load('resnet8:nowhere.pth')).rejects.toThrow(/nowhere.pth/);
    const maps = await written('maps.pth', { conv: torch.ones([1, 1, 3, 3]) });
    await expect(Teacher.load(`resnet8:${maps}`)).rejects.toThrow(TeacherError);
  });
});

describe('other sources', () => {
  it('a saved student', async () => {
    const file = join(folder, 'student.safetensors');
    saveStudent(file, model, { model: 'resnet8', numClasses: 7, inChannels: 3, data: 'none' });
    for (const source of [folder, file]) {
      const teacher = await Teacher.load(source);
      expect(maxDifference(teacher.forward(images).logits, expected.logits)).toBe(0);
      teacher.dispose();
    }
  });

  it('a network of your own', () => {
    const teacher = Teacher.of(models.create('wrn_10_1', { numClasses: 5 }), 'mine');
    expect([teacher.source, teacher.numClasses, teacher.classifierName]).toEqual(['mine', 5, 'fc']);
    class Squashed extends models.CifarResNet {
      override forwardFeatures(x: typeof images) {
        const features = super.forwardFeatures(x);
        return { ...features, logits: features.logits.tanh() };
      }
    }
    const squashed = ModelTeacher.of(new Squashed(8, [16, 16, 32, 64], 5, 3), 'squashed');
    expect(() => squashed.check(images)).toThrow(/are not its layer fc applied to its feature/);
  });

  it('TorchScript in half precision is computed in single', () => {
    const teacher = ScriptTeacher.load(fixturePath('teachers/half.scripted.pt'));
    const { logits, pooled } = teacher.forward(images);
    expect([logits.dtype, teacher.weight.dtype]).toEqual(['float32', 'float32']);
    expect(maxDifference(teacher.classify(pooled), logits)).toBeLessThan(1e-5);
  });

  it('TorchScript whose classifier stands inside conditions on the data', () => {
    const file = fixturePath('teachers/branched.scripted.pt');
    const teacher = ScriptTeacher.load(file);
    const whole = torch.jit.load(file);
    expect([teacher.classifierName, teacher.featureChannels, teacher.numClasses]).toEqual(['fc', 12, 10]);
    for (const batch of [images, images.neg().mul(3)]) {
      const { logits, pooled, map } = teacher.forward(batch);
      expect(maxDifference(logits, whole.forward(batch) as Tensor)).toBe(0);
      expect(maxDifference(teacher.classify(pooled), logits)).toBeLessThan(1e-5);
      expect(maxDifference((map as Tensor).mean([2, 3]), pooled)).toBeLessThan(1e-6);
    }
    // This branch returns before any classifier runs.
    expect(() => teacher.forward(images.mul(0))).toThrow(TeacherError);
  });

  it('TorchScript that was traced with a fixed batch takes any number of images', () => {
    const file = fixturePath('teachers/fixed-batch.traced.pt');
    const teacher = ScriptTeacher.load(file);
    const whole = torch.jit.load(file);
    const many = torch.randn([10, 3, 32, 32]);
    const [first, rest] = [many.narrow(0, 0, 4), many.narrow(0, 6, 4)];
    for (let pass = 0; pass < 2; pass++) {
      const { logits, pooled } = teacher.forward(many);
      expect([logits.shape, pooled.shape]).toEqual([
        [10, 10],
        [10, 12],
      ]);
      expect(maxDifference(logits.narrow(0, 0, 4), whole.forward(first) as Tensor)).toBeLessThan(1e-6);
      expect(maxDifference(logits.narrow(0, 6, 4), whole.forward(rest) as Tensor)).toBeLessThan(1e-6);
    }
    expect(teacher.forward(many.narrow(0, 0, 1)).logits.shape).toEqual([1, 10]);
    expect(() => teacher.forward(torch.randn([10, 1, 32, 32]))).toThrow(/does not take images \[10, 1, 32, 32\]/);
  });

  it('the map whose average is the feature comes with it', () => {
    const pooledByMean = ScriptTeacher.load(fixturePath('teachers/plain.traced.pt')).forward(images);
    const pooledByModule = ScriptTeacher.load(fixturePath('teachers/dropped.scripted.pt')).forward(images);
    for (const { map, pooled } of [pooledByMean, pooledByModule])
      expect(maxDifference((map as Tensor).mean([2, 3]), pooled)).toBeLessThan(1e-6);
    // Several layers stand between the map and this feature, and a class token is not an average.
    expect(ScriptTeacher.load(fixturePath('teachers/vgg.scripted.pt')).forward(images).map).toBeUndefined();
    expect(ScriptTeacher.load(fixturePath('teachers/vit.traced.pt')).forward(images).map).toBeUndefined();
  });
});

describe('the accelerated form', () => {
  const scripts = ['plain', 'nested', 'vgg', 'mobile', 'vit', 'conv-head', 'cosine-head'];
  it.each(scripts)('of the TorchScript teacher %s gives the same up to rounding', (name) => {
    const file = fixturePath(`teachers/${name}.scripted.pt`);
    const teacher = ScriptTeacher.load(file);
    const fast = teacher.accelerated(images) as FastForm;
    const [actual, expected] = [fast.forward(images), teacher.forward(images)];
    expect(maxDifference(actual.logits, expected.logits)).toBeLessThan(1e-5);
    expect(maxDifference(actual.pooled, expected.pooled)).toBeLessThan(1e-5);
    expect(actual.map?.shape).toEqual(expected.map?.shape);
  });

  it.each(['resnet8x4', 'wrn_10_1', 'vgg8', 'ShuffleV1', 'MobileNetV2'])(
    'of the model %s gives the same up to rounding, for any number of images',
    (name) => {
      const teacher = Teacher.of(models.create(name, { numClasses: 7 }), name);
      const fast = teacher.accelerated(images) as FastForm;
      for (const count of [3, 1]) {
        const batch = images.narrow(0, 0, count);
        const [actual, expected] = [fast.forward(batch), teacher.forward(batch)];
        expect(actual.stages.length).toBe(expected.stages.length);
        for (const [i, stage] of expected.stages.entries()) {
          const scale = Number(stage.abs().max().item());
          expect(maxDifference(actual.stages[i] as Tensor, stage) / scale).toBeLessThan(1e-5);
        }
        expect(maxDifference(actual.logits, expected.logits)).toBeLessThan(1e-5);
      }
    },
  );

  it('has the normalizations folded away, and there is none where it would not be the same', () => {
    const frozen = models.create('resnet8', { numClasses: 7 }).eval().requiresGrad_(false);
    const traced = FrozenGraph.trace(images, (x) => [frozen.forward(x)]);
    expect([traced.toString().includes('aten::batch_norm'), traced.folded().toString().includes('batch_norm')]).toEqual(
      [true, false],
    );
    class Counting extends models.CifarResNet {
      override forwardFeatures(x: Tensor) {
        const features = super.forwardFeatures(x);
        return { ...features, logits: features.logits.mul(x.shape[0] as number) };
      }
    }
    const teacher = Teacher.of(new Counting(8, [16, 16, 32, 64], 5, 3), 'counting');
    expect(teacher.accelerated(images)).toBeUndefined();
  });
});
