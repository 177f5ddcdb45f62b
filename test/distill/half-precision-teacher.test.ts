/** The faster form of a teacher that autocast runs in half precision. */
import { describe, expect, it } from 'vitest';
import type { FastForm } from '../../src/distill/teacher-base.js';
import { models, ScriptTeacher, Teacher } from '../../src/index.js';
import { autocast, scope } from '../../src/tensor/index.js';
import torch, { type Tensor } from '../../src/torch.js';
import { fixturePath } from '../helpers/inputs.js';

torch.manualSeed(0);
const images = torch.randn([3, 3, 32, 32]).contiguous({ memoryFormat: 'channelsLast' });
const half = <T>(body: () => T): T => torch.noGrad(() => autocast('cpu', body, { dtype: 'bfloat16' }));

/** A network whose statistics are not those of a fresh one. */
function trained(name: string): Teacher {
  const network = models.create(name, { numClasses: 7 }).train();
  torch.noGrad(() => scope(() => void network.forward(torch.randn([32, 3, 32, 32]))));
  return Teacher.of(network, name);
}

const teachers: [string, () => Teacher][] = [
  ...['resnet14', 'wrn_16_1', 'vgg8', 'MobileNetV2', 'ShuffleV1'].map((name): [string, () => Teacher] => [
    name,
    () => trained(name),
  ]),
  ...['plain', 'vgg', 'mobile'].map((name): [string, () => Teacher] => [
    `TorchScript ${name}`,
    () => ScriptTeacher.load(fixturePath(`teachers/${name}.scripted.pt`)),
  ]),
];

/** How many tensors are cast. */
function casts(body: () => unknown): number {
  const profile = torch.profile(() => scope(() => void body()));
  return profile.events.filter(({ name }) => name === 'aten::_to_copy').length;
}

describe.each(teachers)('%s', (_name, open) => {
  it('is as close to float32 as without it, and casts images alone', () => {
    const teacher = open();
    const fast = half(() => teacher.accelerated(images, 'bfloat16')) as FastForm;
    expect(fast).toBeDefined();
    const [ours, theirs] = half(() => [fast.forward(images).logits, teacher.forward(images).logits]);
    const exact = teacher.forward(images).logits;
    const error = (logits: Tensor | undefined) => Number(logits?.to('float32').sub(exact).abs().max().item());
    const largest = Number(exact.abs().max().item());
    expect(error(ours)).toBeLessThanOrEqual(2 * error(theirs) + 1e-4 * largest);
    expect(error(ours)).toBeGreaterThan(0);
    // The first runs find out what the graph's constants are.
    half(() => scope(() => [1, 2, 3].map(() => fast.forward(images))));
    // The images, and three in the mean of bfloat16 as the CPU has it.
    expect(half(() => casts(() => fast.forward(images)))).toBeLessThanOrEqual(4);
    fast.dispose();
    teacher.dispose();
  });
});

it('is absent where a network mixes precisions, as one with a position in float32', () => {
  const teacher = ScriptTeacher.load(fixturePath('teachers/vit.scripted.pt'));
  expect(half(() => teacher.accelerated(images, 'bfloat16'))).toBeUndefined();
  expect(half(() => teacher.forward(images).logits.dtype)).toBe('bfloat16');
  teacher.dispose();
});
