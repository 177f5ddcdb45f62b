import { describe, expect, it } from 'vitest';
import { AT, ConfigError, FitNets, ReviewKD, SP, SRRL } from '../../../src/index.js';
import torch from '../../../src/torch.js';
import { expectCloseNumber } from '../../helpers/compare.js';
import {
  check,
  expected,
  fill,
  type Shapes,
  settingOf,
  studentFeatures,
  teacherFeatures,
  valuesOf,
  weightsOf,
} from './cases.js';

// The second stage is larger at the student, the third at the teacher.
const student: Shapes = [[3, 8, 8], [4, 4, 4], [6, 2, 2]]; // biome-ignore format: one line
const teacher: Shapes = [[4, 8, 8], [5, 2, 2], [8, 4, 4]]; // biome-ignore format: one line
const setting = settingOf({ student, teacher });
const values = (epoch = 1, targets = teacher) => {
  const features = studentFeatures(student);
  return { features, step: valuesOf(features, teacherFeatures(targets), epoch) };
};

describe('value and gradient against PyTorch', () => {
  it('AT, with averages of the larger map', () => {
    const { features, step } = values();
    const terms = new AT().setUp(setting).terms(step);
    expect(weightsOf(terms)).toEqual({ ce: 1, at: 1000 });
    check(terms.at, expected.at, features);
  });

  it('SP', () => {
    const { features, step } = values();
    const terms = new SP().setUp(setting).terms(step);
    expect(weightsOf(terms)).toEqual({ ce: 1, sp: 3000 });
    check(terms.sp, expected.sp, features);
  });

  it.each([
    ['same', 4, 4],
    ['half', 4, 2],
    ['double', 2, 4],
    ['trimmed', 4, 3],
  ])('FitNets, %s size', (name, side, wanted) => {
    const shapes = { student: [[3, 8, 8], [4, side, side]], teacher: [[4, 8, 8], [5, wanted, wanted]] }; // biome-ignore format: one line
    const objective = new FitNets().setUp(settingOf(shapes));
    fill(objective.modules.regressor as never);
    const features = studentFeatures(shapes.student);
    const terms = objective.terms(valuesOf(features, teacherFeatures(shapes.teacher)));
    expect(weightsOf(terms)).toEqual({ ce: 1, hint: 100 });
    check(terms.hint, expected.fitnets[name] as never, features, objective.modules.regressor);
  });

  it('ReviewKD', () => {
    const targets: Shapes = [[4, 8, 8], [5, 4, 4], [8, 4, 4]]; // biome-ignore format: one line
    const objective = new ReviewKD().setUp(settingOf({ student, teacher: targets }));
    fill(objective.modules.fusion as never);
    const { features, step } = values(5, targets);
    const terms = objective.terms(step);
    expect(weightsOf(terms, 5)).toEqual({ ce: 1, hcl: 5 * (5 / 20) });
    check(terms.hcl, expected.reviewKD, features, objective.modules.fusion);
    expect(weightsOf(terms, 20)).toEqual({ ce: 1, hcl: 5 });
  });

  it("SRRL's feature matching at an inner stage", () => {
    const objective = new SRRL({ fmStage: 1, connector: 'linear' }).setUp(setting);
    objective.modules.connector?.to({ dtype: 'float64' });
    fill(objective.modules.fmConnector as never);
    const { features, step } = values();
    check(objective.terms(step).fm, expected.fmStage, features, objective.modules.fmConnector);
  });
});

describe('the choice of stages', () => {
  it('of AT: only those that were named count', () => {
    const at = (stages?: number[]) =>
      Number(new AT(stages ? { stages } : {}).setUp(setting).terms(values().step).at?.value.item());
    expectCloseNumber(at([0]) + at([1]) + at([-1]), at());
  });

  it('of SP and FitNets: counted from the end where negative', () => {
    const sp = (stage: number) => Number(new SP({ stage }).setUp(setting).terms(values().step).sp?.value.item());
    expect(sp(-1)).toBe(sp(2));
    expect(sp(-1)).not.toBe(sp(1));
    const { weight } = Object.fromEntries(
      [...(new FitNets({ stage: -3 }).setUp(setting).modules.regressor?.namedParameters() ?? [])].map(([name, p]) => [
        name.replace('conv.', ''),
        p,
      ]),
    );
    expect(weight?.shape).toEqual([4, 3, 1, 1]);
  });
});

describe('what does not fit', () => {
  const blind = settingOf({ student });
  const methods = [new AT(), new SP(), new FitNets(), new ReviewKD(), new SRRL({ fmStage: 0 })];

  it.each(methods)('a teacher without stages: $name', (method) => {
    expect(() => method.setUp(blind)).toThrow(ConfigError);
    expect(() => method.setUp(blind)).toThrow(
      /teacher does not return them\.\nUse a teacher from the model zoo, which returns its maps/,
    );
  });

  it.each(methods)('a student without stages, no teacher at all: $name', (method) => {
    expect(() => method.setUp(settingOf({ teacher }))).toThrow(/student does not return them/);
    expect(() => method.setUp({ student: setting.student, trainLabels: setting.trainLabels })).toThrow(ConfigError);
  });

  it('stages that are not there, that are not maps, and different numbers of them', () => {
    expect(() => new SP({ stage: 3 }).setUp(setting)).toThrow(/student has no stage 3; there are -3 to 2/);
    expect(() => new SP().setUp(settingOf({ student, teacher: [[17, 64]] }))).toThrow(
      /stage -1 of the teacher is \[17, 64\]/,
    );
    const fewer = settingOf({ student, teacher: teacher.slice(0, 2) });
    expect(() => new AT().setUp(fewer)).toThrow(ConfigError);
    const more = settingOf({ student: student.slice(0, 2), teacher });
    expect(() => new ReviewKD().setUp(more)).toThrow(/student has 2 of them, the teacher 3[\s\S]*option stages/);
    expect(new AT({ stages: [0, 1] }).setUp(more).modules).toEqual({});
  });

  it('sizes between which FitNets has no layer', () => {
    const shapes = settingOf({ student: [[4, 3, 3]], teacher: [[4, 4, 4]] });
    expect(() => new FitNets({ stage: 0 }).setUp(shapes)).toThrow(/no layer from 3x3 to 4x4/);
  });
});

it('a ReviewKD fusion saves its levels by number, and fits the sizes of the teacher', () => {
  const { fusion } = new ReviewKD().setUp(setting).modules;
  expect(Object.keys(fusion?.stateDict() ?? {}).filter((name) => name.endsWith('conv1.weight'))).toEqual(
    [0, 1, 2, 3].map((i) => `${i}.conv1.weight`),
  );
  const maps = [...student, [6, 1, 1]].map((shape) => torch.randn([2, ...shape]));
  const outputs = (fusion as unknown as { forward(maps: unknown[]): { shape: number[] }[] }).forward(maps);
  expect(outputs.map(({ shape }) => shape)).toEqual([...teacher, [8, 1, 1]].map((shape) => [2, ...shape]));
});
