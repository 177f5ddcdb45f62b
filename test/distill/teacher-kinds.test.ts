import { describe, expect, it } from 'vitest';
import { inspectScript, ScriptTeacher } from '../../src/index.js';
import torch, { type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';
import { fixture, fixturePath, ramp } from '../helpers/inputs.js';

interface Kind {
  feature: number[][];
  logits: number[][];
  /** Positions of the map whose average is the feature; 0 where there is none. */
  map: number;
}
const kinds = fixture<Record<string, Kind>>('teacher_kinds');
const file = (name: string) => fixturePath(`teacher-kinds/${name}.pt`);
const images = ramp([4, 3, 16, 16]).to('float32');
const tensorOf = (rows: number[][]): Tensor =>
  torch.stack(rows.map((row) => torch.fromArray(Float64Array.from(row)))).to('float32');

describe('TorchScript that was exported in another precision or for another device', () => {
  it.each(['double', 'bfloat16', 'casts', 'casts-half', 'mixed', 'moves'])(
    'runs in float32 on this device: %s',
    (name) => {
      const teacher = ScriptTeacher.load(file(name));
      const expected = kinds[name] as Kind;
      for (let pass = 0; pass < 3; pass++) {
        const { pooled, logits } = teacher.forward(images);
        expect([pooled.dtype, logits.dtype, teacher.weight.dtype]).toEqual(['float32', 'float32', 'float32']);
        expect(maxDifference(pooled, tensorOf(expected.feature))).toBeLessThan(1e-5);
        expect(maxDifference(logits, tensorOf(expected.logits))).toBeLessThan(1e-5);
        expect(maxDifference(teacher.classify(pooled), logits)).toBeLessThan(1e-5);
      }
      const fast = teacher.accelerated(images);
      expect(maxDifference(fast?.forward(images).logits as Tensor, tensorOf(expected.logits))).toBeLessThan(1e-4);
      expect(inspectScript(file(name)).classifier?.name).toBe('fc');
    },
  );

  it.each(['teacher-double', 'teacher-cuda-constant'])('and so do files that people had: %s', (name) => {
    const teacher = ScriptTeacher.load(file(name));
    teacher.check(torch.randn([3, 3, 32, 32]));
    expect(teacher.weight.dtype).toBe('float32');
  });

  it('torch.jit.load leaves the precision as it is', () => {
    const module = torch.jit.load(file('double'));
    expect((module.forward(images.to('float64')) as Tensor).dtype).toBe('float64');
  });
});

describe('between the last map and the classifier', () => {
  it.each(['in-place-dropout', 'many-views', 'over-positions', 'axis-by-axis', 'mixed-axes'])(
    'may stand what changes no number: %s',
    (name) => {
      const { map, pooled, logits } = ScriptTeacher.load(file(name)).forward(images);
      const expected = kinds[name] as Kind;
      expect((map as Tensor).shape).toEqual([4, 6, 8, 8]);
      expect(expected.map).toBe(64);
      expect(maxDifference((map as Tensor).mean([2, 3]), pooled)).toBeLessThan(1e-6);
      expect(maxDifference(logits, tensorOf(expected.logits))).toBeLessThan(1e-5);
    },
  );

  it('a ReLU behind a 1x1 convolution is named, and the tap that the error suggests works', () => {
    expect(() => ScriptTeacher.load(file('relu-head'))).toThrow(/aten::relu_[\s\S]*fc[\s\S]*--tap/);
    const teacher = ScriptTeacher.load(file('relu-head'), { tap: 'fc' });
    const { map, pooled, logits } = teacher.forward(images);
    const expected = kinds['relu-head'] as Kind;
    // What the layer gives before the ReLU writes into it.
    expect(maxDifference(logits, tensorOf(expected.logits))).toBeLessThan(1e-5);
    expect(maxDifference(pooled, tensorOf(expected.feature))).toBeLessThan(1e-5);
    expect((map as Tensor).shape).toEqual([4, 6, 8, 8]);
    teacher.check(images);
  });
});

describe('a classifier within a condition', () => {
  it.each(['branches', 'empty-guard'])('is found: %s', (name) => {
    const { map, pooled, logits } = ScriptTeacher.load(file(name)).forward(images);
    const expected = kinds[name] as Kind;
    expect((map as Tensor).shape).toEqual([4, 6, 8, 8]);
    expect(maxDifference(pooled, tensorOf(expected.feature))).toBeLessThan(1e-5);
    expect(maxDifference(logits, tensorOf(expected.logits))).toBeLessThan(1e-5);
  });
});
