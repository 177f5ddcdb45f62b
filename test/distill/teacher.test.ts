import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileError, inspectScript, ScriptTeacher, TeacherError } from '../../src/index.js';
import torch, { type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';
import { fixture, fixturePath, ramp } from '../helpers/inputs.js';

interface Summary {
  classes: number;
  width: number;
  parameters: number;
  logits: number[];
  feature: number[];
}
const { teachers } = fixture<{ teachers: Record<string, Summary> }>('teachers');
const file = (name: string) => fixturePath(`teachers/${name}.pt`);
const images = ramp([4, 3, 32, 32]).to('float32');
const scratch = mkdtempSync(join(tmpdir(), 'srrl-teacher-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe.each(Object.keys(teachers))('%s', (name) => {
  const expected = teachers[name] as Summary;

  it.each(['scripted', 'traced'])('%s: the tapped feature and the logits are exactly those of PyTorch', (kind) => {
    const reference = torch.jit.load(file(`${name}.reference`));
    const teacher = ScriptTeacher.load(file(`${name}.${kind}`));
    expect([teacher.numClasses, teacher.featureChannels]).toEqual([expected.classes, expected.width]);
    // Several passes: libtorch's executor specializes after the first ones.
    for (let pass = 0; pass < 4; pass++) {
      const { pooled, logits } = teacher.forward(images);
      const [trueLogits, trueFeature] = reference.forward(images) as [Tensor, Tensor];
      expect(pooled.requiresGrad).toBe(false);
      expect(maxDifference(pooled, trueFeature)).toBe(0);
      const same = name === 'mobile' ? logits.logSoftmax(1) : logits;
      expect(maxDifference(same, trueLogits)).toBe(0);
      expect(maxDifference(teacher.classify(pooled), logits)).toBeLessThan(1e-5);
    }
    // What another machine computed differs by rounding only.
    const recorded = torch.tensor(expected.feature);
    expect(maxDifference(teacher.forward(images).pooled.select(0, 0), recorded)).toBeLessThan(1e-4);
    teacher.dispose();
    reference.dispose();
  });

  it('is described by inspect', () => {
    const { numParameters, classifier, modules } = inspectScript(file(`${name}.scripted`));
    expect(numParameters).toBe(expected.parameters);
    expect(classifier).toMatchObject({ numClasses: expected.classes, featureChannels: expected.width });
    expect(modules.length).toBeGreaterThan(0);
  });
});

describe('the tap', () => {
  it('can be chosen by the path of a module', () => {
    const first = ScriptTeacher.load(file('vgg.scripted'), { tap: 'classifier.0' });
    expect([first.featureChannels, first.numClasses]).toEqual([32, 24]);
    const second = ScriptTeacher.load(file('two-heads.bad'), { tap: 'aux' });
    expect(second.numClasses).toBe(10);
    expect(ScriptTeacher.load(file('cosine.bad'), { tap: 'fc' }).featureChannels).toBe(12);
    expect(() => ScriptTeacher.load(file('vgg.scripted'), { tap: 'clasifier.6' })).toThrow(
      /classifier.0, classifier.3, classifier.6.*Did you mean classifier.6/s,
    );
  });

  it('is refused with the candidates where it cannot be told', () => {
    expect(() => ScriptTeacher.load(file('two-heads.bad'))).toThrow(
      /2 classifiers: fc \(12 -> 10\), aux \(12 -> 10\)[\s\S]*--tap/,
    );
    expect(() => ScriptTeacher.load(file('cosine.bad'))).toThrow(
      /does not end in a linear classifier[\s\S]*fc \(12 -> 10\)/,
    );
    expect(() => ScriptTeacher.load(file('no-linear.bad'))).toThrow(/no linear classifier/);
    expect(() => ScriptTeacher.load(file('training.bad'))).toThrow(/training mode[\s\S]*model.eval\(\)/);
    for (const bad of ['two-heads', 'cosine', 'no-linear', 'training']) {
      expect(() => ScriptTeacher.load(file(`${bad}.bad`))).toThrow(TeacherError);
      expect(inspectScript(file(`${bad}.bad`)).problem).toBeTruthy();
    }
  });
});

describe('files that are not teachers', () => {
  it('are named with what to do', () => {
    expect(() => ScriptTeacher.load(join(scratch, 'nothing.pt'))).toThrow(/does not exist/);
    expect(() => ScriptTeacher.load(file('state-dict.bad'))).toThrow(
      /no TorchScript file[\s\S]*torch.export.save[\s\S]*torch.jit.trace/,
    );
    const text = join(scratch, 'text.pt');
    writeFileSync(text, 'hello');
    expect(() => ScriptTeacher.load(text)).toThrow(FileError);
    expect(() => ScriptTeacher.load(scratch)).toThrow(FileError);
  });

  it('are refused when damaged or cut off at any place, without a crash', () => {
    const bytes = readFileSync(file('plain.scripted'));
    const damaged = join(scratch, 'damaged.pt');
    for (let i = 1; i < 12; i++) {
      writeFileSync(damaged, bytes.subarray(0, Math.floor((bytes.length * i) / 12)));
      expect(() => ScriptTeacher.load(damaged)).toThrow(FileError);
    }
  });

  it('leave nothing behind', () => {
    const before = torch.memory().tensors;
    for (const name of readdirSync(fixturePath('teachers')).filter((entry) => entry.includes('.bad'))) {
      copyFileSync(fixturePath(`teachers/${name}`), join(scratch, name));
      torch.scope(() => expect(() => ScriptTeacher.load(join(scratch, name))).toThrow());
    }
    expect(torch.memory().tensors).toBe(before);
  });
});

describe('images', () => {
  it('that a teacher does not take are refused with its own reason', () => {
    const teacher = ScriptTeacher.load(file('vit.traced'));
    expect(() => teacher.forward(torch.randn([2, 3, 24, 24]))).toThrow(TeacherError);
    expect(() => teacher.forward(torch.randn([2, 1, 32, 32]))).toThrow(/\[2, 1, 32, 32\]/);
  });
});
