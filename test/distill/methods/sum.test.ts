import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  CRD,
  CrossEntropy,
  createMethod,
  FitNets,
  KD,
  type Method,
  methodKinds,
  parseMethods,
  SimKD,
  SP,
  SRRL,
  SumOfMethods,
} from '../../../src/index.js';
import torch, { type Tensor } from '../../../src/torch.js';
import { expectCloseNumber } from '../../helpers/compare.js';
import { settingOf, studentFeatures, teacherFeatures, valuesOf, weightsOf } from './cases.js';

const shapes = { student: [[4, 4, 4]], teacher: [[5, 4, 4]], studentMap: [6, 2, 2], teacherMap: [8, 2, 2] };
const setting = settingOf(shapes);
const step = () =>
  valuesOf(studentFeatures(shapes.student, shapes.studentMap), teacherFeatures(shapes.teacher, shapes.teacherMap));
const setUp = (...methods: Method[]) => {
  const objective = new SumOfMethods(methods).setUp(setting);
  for (const module of Object.values(objective.modules)) module.to({ dtype: 'float64' });
  return objective;
};

describe('a sum of methods', () => {
  it('unites terms under their names, with one cross-entropy: the first', () => {
    const objective = setUp(new KD(), new SRRL({ alpha: 3 }), new SP({ stage: 0 }));
    expect(weightsOf(objective.terms(step()))).toEqual({ ce: 0.1, kd: 0.9, fm: 3, sr: 1, sp: 3000 });
    const reversed = setUp(new SRRL(), new KD());
    expect(weightsOf(reversed.terms(step())).ce).toBe(1);
    expect(Object.keys(objective.modules)).toEqual(['srrl.connector']);
  });

  it('puts the method before names that collide, and loses none', () => {
    const objective = setUp(new SRRL({ kd: 2, kdTemperature: 2 }), new KD());
    const terms = objective.terms(step());
    expect(weightsOf(terms)).toEqual({ ce: 1, fm: 1, sr: 1, 'srrl.kd': 2, 'kd.kd': 0.9 });
    const alone = new KD({ temperature: 2 }).setUp(setting).terms(step()).kd?.value as Tensor;
    expectCloseNumber(Number(terms['srrl.kd']?.value.item()), Number(alone.item()));
  });

  it('is called after its members, and needs a teacher where one does', () => {
    const sum = new SumOfMethods([new SRRL(), new KD({ temperature: 2 })]);
    expect([sum.name, sum.needsTeacher]).toEqual(['srrl+kd', true]);
    expect(sum.options).toMatchObject({ srrl: { alpha: 1 }, kd: { temperature: 2 } });
    expect(new SumOfMethods([new CrossEntropy()]).needsTeacher).toBe(false);
  });

  it('deploys what its one deploying member does, and frees what each has', () => {
    const objective = setUp(new KD(), new SimKD(), new CRD({ negatives: 3 }));
    expect(weightsOf(objective.terms(step()))).toEqual({ ce: 0.1, kd: 0.9, simkd: 1, crd: 0.8 });
    expect(objective.deploy).toBeTypeOf('function');
    expect(setUp(new KD(), new SRRL()).deploy).toBeUndefined();
    const before = torch.memory().tensors;
    objective.dispose?.();
    // SimKD's classifier, weight and bias; CRD's three lists of samples.
    expect(torch.memory().tensors).toBe(before - 5);
  });
});

describe('sums that cannot be', () => {
  it('none, and the same method twice', () => {
    expect(() => new SumOfMethods([])).toThrow(ConfigError);
    expect(() => new SumOfMethods([new KD(), new SRRL(), new KD({ kd: 2 })])).toThrow(
      /kd appears twice in kd \+ srrl \+ kd/,
    );
  });

  it('two that deploy a network of their own', () => {
    class Other extends SimKD {
      override readonly name = 'other' as 'simkd';
    }
    const before = torch.memory().tensors;
    const both = () => torch.scope(() => new SumOfMethods([new SimKD(), new Other()]).setUp(setting));
    expect(both).toThrow(/simkd and other cannot be added: each makes the student predict/);
    expect(torch.memory().tensors).toBe(before);
  });

  it('a member that does not fit; what the others had made is freed', () => {
    const { teacher: _teacher, ...noStages } = shapes;
    const blind = settingOf(noStages);
    const before = torch.memory().tensors;
    expect(() => torch.scope(() => new SumOfMethods([new SRRL(), new FitNets({ stage: 0 })]).setUp(blind))).toThrow(
      /model zoo/,
    );
    expect(torch.memory().tensors).toBe(before);
  });
});

describe('methods by text', () => {
  it('one, with options by their kinds', () => {
    const method = parseMethods('srrl');
    expect(method).toBeInstanceOf(SRRL);
    expect(method.options).toEqual(new SRRL().options);
    expect(parseMethods(' kd : temperature = 2 , kd=0.5,standardize=true').options).toEqual({
      ce: 0.1,
      kd: 0.5,
      temperature: 2,
      standardize: true,
    });
    expect(parseMethods('srrl:sr=ce,connector=linear,alpha=1e+2').options).toMatchObject({
      sr: 'ce',
      connector: 'linear',
      alpha: 100,
    });
  });

  it('several', () => {
    const method = parseMethods('srrl:alpha=10+kd+review-kd:warmUp=5');
    expect(method).toBeInstanceOf(SumOfMethods);
    expect(method.name).toBe('srrl+kd+review-kd');
    expect(method.options).toMatchObject({ srrl: { alpha: 10 }, kd: {}, 'review-kd': { warmUp: 5 } });
  });

  it.each([
    ['srl', /In 'srl': There is no method 'srl'.*Did you mean srrl/],
    ['srrl+kdd:temperature=2', /In 'kdd:temperature=2': .*Did you mean kd/],
    ['srrl:alpa=1+kd', /In 'srrl:alpa=1': Unknown option 'alpa'.*Did you mean alpha/],
    ['kd:temperature=0', /In 'kd:temperature=0': Option 'temperature'/],
    ['kd:temperature=hot', /Option 'temperature'/],
    ['kd:standardize=1', /Option 'standardize'/],
    ['kd:standardize', /'standardize' is not an option with a value/],
    ['kd:=1', /'=1' is not an option with a value/],
    ['kd:kd=', /'kd=' is not an option with a value/],
    ['kd:', /'' is not an option with a value/],
    ['kd:kd=1,kd=2', /kd appears twice/],
    ['kd+', /empty part/],
    ['', /empty part/],
    ['kd+srrl+kd', /kd appears twice/],
  ])("'%s' is refused with the reason", (text, reason) => {
    expect(() => parseMethods(text)).toThrow(ConfigError);
    expect(() => parseMethods(text)).toThrow(reason);
  });

  it('every kind is there by its name, with defaults and a summary', () => {
    for (const { name, summary } of methodKinds) {
      expect(createMethod(name).name).toBe(name);
      expect(summary.length).toBeGreaterThan(5);
    }
  });
});
