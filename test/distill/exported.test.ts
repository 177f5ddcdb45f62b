import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { archiveKind } from '../../src/distill/exported/archive.js';
import { loadExported } from '../../src/distill/exported/load.js';
import { inspectExported } from '../../src/distill/script-teacher.js';
import type { FastForm } from '../../src/distill/teacher-base.js';
import { FileError, ScriptTeacher, Teacher, TeacherError } from '../../src/index.js';
import torch, { type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';
import { fixture, fixturePath, ramp } from '../helpers/inputs.js';

const { exported } = fixture<{ exported: Record<string, { logits: number[][]; parameters: number }> }>('exported');
const files = readdirSync(fixturePath('exported')).filter((name) => name.endsWith('.pt2'));
const good = files.filter((name) => !name.includes('.bad.') && !/^(half|double)\./.test(name));
const images = ramp([4, 3, 32, 32]).float();
const path = (name: string) => fixturePath(`exported/${name}`);
const expectedOf = (name: string) =>
  torch.tensor(exported[name.split('.')[0] as string]?.logits as number[][], { dtype: 'float32' });

describe('a program of torch.export', () => {
  it.each(good)('%s computes what Python computes', async (name) => {
    const { module } = await loadExported(path(name));
    const expected = expectedOf(name);
    // The recorded numbers are of another CPU; bitwise equality is asserted against a live Python.
    const scale = Number(expected.abs().max().item());
    expect(maxDifference(torch.noGrad(() => module.forward(images)) as Tensor, expected) / scale).toBeLessThan(1e-6);
    module.dispose();
  });

  it.each(good)('%s is a teacher whose classifier is found', async (name) => {
    const teacher = (await Teacher.load(path(name))) as ScriptTeacher;
    expect(teacher).toBeInstanceOf(ScriptTeacher);
    const { logits, pooled } = teacher.forward(images);
    expect(logits.shape).toEqual([4, 10]);
    teacher.check(images);
    const other = ramp([7, 3, 32, 32], { step: 6007 }).float();
    const [all, rest] = [teacher.forward(other).logits, teacher.forward(other.narrow(0, 4, 3)).logits];
    expect(maxDifference(all.narrow(0, 4, 3), rest)).toBeLessThan(1e-5);
    const fast = teacher.accelerated(images) as FastForm;
    expect(maxDifference(fast.forward(images).pooled, pooled)).toBeLessThan(1e-4);
    fast.dispose();
    teacher.dispose();
  });

  it.each(['plain.static', 'mobile.dynamic', 'nested.decomposed', 'vgg.decomposed'])(
    'has the normalizations of %s folded away',
    async (name) => {
      const teacher = (await Teacher.load(path(`${name}.pt2`))) as ScriptTeacher;
      // biome-ignore lint/complexity/useLiteralKeys: private
      expect(teacher['network'].graph.folded().toString()).not.toContain('batch_norm');
    },
  );

  it('gives the same for images in another layout', async () => {
    const teacher = await Teacher.load(path('vgg.decomposed.pt2'));
    const other = teacher.forward(images.to({ memoryFormat: 'channelsLast' }));
    expect(maxDifference(other.logits, teacher.forward(images).logits)).toBeLessThan(1e-4);
  });

  it.each(['half.static.pt2', 'double.static.pt2'])('%s is computed in float32', async (name) => {
    const teacher = await Teacher.load(path(name));
    expect([teacher.weight.dtype, teacher.forward(images).logits.dtype]).toEqual(['float32', 'float32']);
  });

  it.each([
    ['training.bad.pt2', /training mode[\s\S]*model\.eval\(\)/],
    ['training-decomposed.bad.pt2', /training mode[\s\S]*model\.eval\(\)/],
    ['two-inputs.bad.pt2', /takes 2 inputs \(x, scale\)/],
    ['condition.bad.pt2', /torch\.ops\.higher_order\.cond.*not supported/],
    ['custom.bad.pt2', /torch\.ops\.hidden\.double\.default/],
  ])('%s is refused with the reason', async (name, reason) => {
    const error = await Teacher.load(path(name)).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(TeacherError);
    expect(error.message).toMatch(reason);
  });

  it('lists its modules in the order in which they run, with or without weights', async () => {
    const { modules } = await inspectExported(path('vgg.static.pt2'));
    expect(modules.map((module) => module.path)).toEqual(
      [
        ['features', 'features.0', 'features.0.0', 'features.0.1', 'features.0.2', 'features.1'],
        ['features.2', 'features.2.0', 'features.2.1', 'features.2.2', 'features.3'],
        ['classifier', ...[0, 1, 2, 3, 4, 5, 6].map((i) => `classifier.${i}`)],
      ].flat(),
    );
  });

  it('is told from other files by its content', async () => {
    expect(await archiveKind(path('plain.static.pt2'))).toBe('program');
    expect(await archiveKind(fixturePath('teachers/plain.scripted.pt'))).toBeUndefined();
    expect(await archiveKind(fixturePath('nowhere.pt2'))).toBeUndefined();
    await expect(Teacher.load(fixturePath('exported.json'))).rejects.toBeInstanceOf(FileError);
  });
});
