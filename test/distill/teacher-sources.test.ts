import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ModelTeacher, models, ScriptTeacher, saveStudent, Teacher, TeacherError } from '../../src/index.js';
import torch, { savePth, saveSafetensors } from '../../src/torch.js';
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
    await expect(Teacher.load(`resnet8:${file}`, { tap: 'fc' })).rejects.toThrow(/--tap fc is for TorchScript/);
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
});
