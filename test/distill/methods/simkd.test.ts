import { afterAll, describe, expect, it } from 'vitest';
import { mapShape } from '../../../src/distill/requirements.js';
import {
  ConfigError,
  models,
  openDataset,
  type ProjectedClassifier,
  ScriptTeacher,
  SimKD,
  settingFor,
} from '../../../src/index.js';
import torch, { nn, type Tensor } from '../../../src/torch.js';
import { maxDifference } from '../../helpers/compare.js';
import { fixturePath } from '../../helpers/inputs.js';
import { check, expected, fill, settingOf, studentFeatures, teacherFeatures, valuesOf, weightsOf } from './cases.js';

const student = models.create('resnet8', { numClasses: 7 });
const setting = settingOf({ studentMap: [64, 8, 8], teacherMap: [8, 4, 4] });
const objective = new SimKD().setUp(setting);
afterAll(() => objective.dispose?.());
const images = torch.randn([3, 3, 32, 32]);

describe('SimKD, value and gradient against PyTorch', () => {
  it.each([
    ['same', 2, 2],
    ['larger', 4, 2],
    ['smaller', 2, 4],
  ])('a student map of %s size', (name, side, wanted) => {
    const [studentMap, teacherMap] = [
      [6, side, side],
      [8, wanted, wanted],
    ];
    const own = new SimKD().setUp(settingOf({ studentMap, teacherMap }));
    fill(own.modules.projector as nn.Module);
    const features = studentFeatures([], studentMap);
    const terms = own.terms(valuesOf(features, teacherFeatures([], teacherMap)));
    expect(weightsOf(terms)).toEqual({ ce: 0, simkd: 1 });
    check(terms.simkd, expected.simkd[name]?.simkd as never, features, own.modules.projector);
    check(terms.ce, expected.simkd[name]?.ce as never, features, own.modules.projector);
    own.dispose?.();
  });
});

describe('what SimKD deploys', () => {
  const deployed = objective.deploy?.(student) as ProjectedClassifier;
  const classifier = deployed.classifier.to({ dtype: 'float32' });

  it("predicts by the teacher's classifier from the projected map", () => {
    deployed.eval();
    const { pooled, map, logits } = deployed.forwardFeatures(images);
    const { map: studentMap } = student.forwardFeatures(images);
    const projector = objective.modules.projector as nn.Module & { forward(x: Tensor): Tensor };
    const averaged = torch.adaptiveAvgPool2d(studentMap as Tensor, [4, 4]);
    expect(maxDifference(map as Tensor, projector.forward(averaged))).toBe(0);
    expect(map?.shape).toEqual([3, 8, 4, 4]);
    const { weight, bias } = setting.teacher as { weight: Tensor; bias: Tensor };
    const direct = nn.functional.linear(pooled.to('float64'), weight, bias);
    expect(maxDifference(logits, direct)).toBeLessThan(1e-5);
    expect([deployed.numClasses, deployed.featureChannels]).toEqual([7, 8]);
    expect([classifier.weight.requiresGrad, classifier.bias?.requiresGrad]).toEqual([false, false]);
  });

  it('holds student, projector and classifier, and can be loaded into another of its kind', () => {
    const state = deployed.stateDict();
    const parts = new Set(Object.keys(state).map((name) => name.split('.')[0]));
    expect([...parts]).toEqual(['student', 'projector', 'classifier']);
    expect(Object.keys(state)).toEqual(
      expect.arrayContaining([
        'student.conv1.weight',
        'student.fc.bias',
        'projector.bn3.running_mean',
        'classifier.weight',
      ]),
    );
    const fresh = new SimKD().setUp(setting);
    const copy = fresh.deploy?.(models.create('resnet8', { numClasses: 7 })).to({ dtype: 'float32' });
    copy?.loadStateDict(state);
    copy?.eval();
    expect(maxDifference(copy?.forward(images) as Tensor, deployed.forward(images))).toBe(0);
    fresh.dispose?.();
  });
});

describe('what does not fit SimKD', () => {
  it('a network without a last map', () => {
    const noTeacherMap = settingOf({ studentMap: [6, 2, 2] });
    expect(() => new SimKD().setUp(noTeacherMap)).toThrow(ConfigError);
    expect(() => new SimKD().setUp(noTeacherMap)).toThrow(
      /the teacher returns only its pooled[\s\S]*teacher from the model zoo/,
    );
    expect(() => new SimKD().setUp(settingOf({ teacherMap: [8, 2, 2] }))).toThrow(
      /the student returns only its pooled/,
    );
    expect(() =>
      mapShape({ pooled: 4, stages: [], map: [17, 4], pooledIsMeanOfMap: false }, 'teacher', 'SimKD'),
    ).toThrow(ConfigError);
  });

  it('a teacher whose classifier does not read the average of its map', () => {
    const other = settingOf({ studentMap: [6, 2, 2], teacherMap: [8, 2, 2], pooledIsMeanOfMap: false });
    expect(() => new SimKD().setUp(other)).toThrow(/global average pooling/);
  });

  it('a TorchScript teacher whose feature is not an average of a map', async () => {
    const data = await openDataset('shapes:12');
    // This one's is, so it serves.
    const averaging = ScriptTeacher.load(fixturePath('teachers/plain.scripted.pt'));
    expect(settingFor(student, averaging, data).teacher?.features).toMatchObject({ map: [12, 8, 8] });
    averaging.dispose();
    const teacher = ScriptTeacher.load(fixturePath('teachers/vit.scripted.pt'));
    expect(() => new SimKD().setUp(settingFor(student, teacher, data))).toThrow(/teacher from the model zoo/);
    teacher.dispose();
  });
});
