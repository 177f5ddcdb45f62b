import { describe, expect, it } from 'vitest';
import { createMethod, methodKinds } from '../../src/distill/methods/index.js';
import { z } from '../../src/options.js';
import { compareRuns } from '../../src/report/compare.js';
import { comparisonPage } from '../../src/report/compare-page.js';
import { comparisonFormats, groupTable, runTable } from '../../src/report/compare-tables.js';
import { readRun } from '../../src/report/run-records.js';
import { teacherOptions, trainOptions } from '../../src/train/index.js';
import { configOf, makeRun } from './runs.js';

const runs = [
  makeRun({ config: configOf({ seed: 0 }), top1: [40, 62, 58] }),
  makeRun({ config: configOf({ seed: 1 }), top1: [40, 50, 60] }),
  makeRun({ config: configOf({ seed: 2 }), top1: [40, 61, 65] }),
  makeRun({ config: configOf({ seed: 0, method: 'kd' }), top1: [45, 30] }),
  makeRun({ config: configOf({ seed: 1, lr: 0.5 }), events: '' }),
].map(readRun);

describe('a comparison', () => {
  const comparison = compareRuns(runs);

  it('has the last and the best of each run', () => {
    expect(comparison.runs[0]).toMatchObject({
      method: 'srrl',
      teacher: 'teacher.pt',
      epochs: 3,
      seed: 0,
      lastTop1: 58,
      bestTop1: 62,
      lastTop5: 88,
      bestTop5: 92,
      seconds: 75,
    });
    expect(comparison.runs[4]).toMatchObject({ differs: ['lr=0.5'], epochs: 0, lastTop1: null, seconds: 0 });
    expect(runTable(comparison).rows[3]?.slice(5)).toEqual([
      '2',
      '0',
      '30.00 %',
      '45.00 %',
      '60.00 %',
      '75.00 %',
      '1 min 15 s',
    ]);
  });

  it('groups what differs in the seed only, with mean and sample standard deviation', () => {
    expect(comparison.groups.map(({ seeds }) => seeds)).toEqual([[0, 1, 2], [0], [1]]);
    const [srrl, kd, unfinished] = comparison.groups;
    // 58, 60, 65: mean 61, squares 9 + 1 + 16 = 26, 26 / 2 = 13.
    expect(srrl?.lastTop1?.mean).toBeCloseTo(61, 12);
    expect(srrl?.lastTop1?.spread).toBeCloseTo(Math.sqrt(13), 12);
    // 62, 60, 65: mean 187 / 3; in thirds 186, 180, 195, squares 1 + 49 + 64 = 114 ninths, half of it.
    expect(srrl?.bestTop1?.mean).toBeCloseTo(187 / 3, 12);
    expect(srrl?.bestTop1?.spread).toBeCloseTo(Math.sqrt(114 / 9 / 2), 12);
    expect([kd?.lastTop1, unfinished?.lastTop1]).toEqual([{ mean: 30, spread: null }, null]);
    expect(groupTable(comparison).rows[0]?.slice(4, 6)).toEqual(['3', '61.00 ± 3.61 %']);
  });
});

/** Two values of an option, as its schema describes it. */
function valuesOf(option: z.ZodType): [unknown, unknown] {
  const schema = z.toJSONSchema(option, { io: 'input', unrepresentable: 'any' }) as {
    type?: string;
    enum?: unknown[];
    properties?: Record<string, unknown>;
  };
  if (schema.enum) return [schema.enum[0], schema.enum[1]];
  if (schema.type === 'boolean') return [false, true];
  if (schema.type === 'array')
    return [
      [1, 2],
      [1, 3],
    ];
  if (schema.type === 'object')
    return [
      { crop: 'pad', mixup: { alpha: 0.1 } },
      { crop: 'pad', mixup: { alpha: 0.2 } },
    ];
  return schema.type === 'string' ? ['a', 'b'] : [1, 2];
}

describe('a comparison in other forms', () => {
  const comparison = compareRuns(runs);

  it('tests the difference of every two groups with two runs or more', () => {
    const { significance } = compareRuns(
      [0, 1, 2, 3]
        .map((i) =>
          makeRun({
            config: configOf({ seed: i, lr: i < 2 ? 0.05 : 0.1 }),
            top1: [60 + i * i],
          }),
        )
        .map(readRun),
    );
    expect(significance).toHaveLength(1);
    // 60, 61 and 64, 69: means 60.5 and 66.5.
    expect(significance[0]).toMatchObject({ a: 'lr=0.05', b: 'lr=0.1', difference: -6 });
    expect(comparison.significance).toEqual([]);
  });

  it('is CSV, Markdown and LaTeX', () => {
    const [head = '', first = ''] = comparisonFormats.csv(comparison).split('\n');
    expect(head).toMatch(/^name,method,student,teacher,lr,runs,lastTop1_mean,lastTop1_spread,/);
    expect(first).toMatch(/^srrl lr=0.05,srrl,resnet8,teacher.pt,0.05,3,61,3.605551275463989,/);
    expect(comparisonFormats.markdown(comparison)).toMatch(
      /^\| method \| .*\n\| --- \|.*\n\| srrl \| .* 61.00 ± 3.61 % /,
    );
    const latex = comparisonFormats.latex(comparison);
    expect(latex).toMatch(/^\\begin\{tabular\}\{l+\}\n\\toprule\n/);
    expect(latex).toContain('61.00 $\\pm$ 3.61 \\%');
  });
});

describe('what differs', () => {
  const compared = (a: object, b: object) =>
    compareRuns([a, b].map((config) => ({ name: 'run', config: configOf({ ...config }), epochs: [] })));
  const base = trainOptions.extend(teacherOptions.shape).parse({});
  const options = Object.entries({ ...trainOptions.shape, ...teacherOptions.shape }) as [string, z.ZodType][];

  /** What changes how a run is watched and saved, and nothing that it computes. */
  const aside = [
    ...['stallWarning', 'stallLimit', 'stepMetrics', 'profile', 'profileSteps'],
    ...['checkpointSteps', 'keepCheckpoints', 'checkCache'],
  ];

  it.each(options.filter(([name]) => aside.includes(name)))('does not count %s', (name, option) => {
    const [one, other] = valuesOf(option);
    const { runs, groups } = compared({ ...base, [name]: one }, { ...base, [name]: other });
    expect([groups.length, ...runs.map(({ differs }) => differs)]).toEqual([1, [], []]);
  });

  it.each(options.filter(([name]) => name !== 'seed' && !aside.includes(name)))(
    'shows %s, also where only one run has it',
    (name, option) => {
      const [one, other] = valuesOf(option);
      const isOptional = !(name in base);
      for (const [a, b] of [
        [
          { ...base, [name]: one },
          { ...base, [name]: other },
        ],
        ...(isOptional ? [[base, { ...base, [name]: one }] as const] : []),
      ] as [object, object][]) {
        const { runs, groups } = compared(a, b);
        expect(groups).toHaveLength(2);
        for (const run of runs) expect(run.differs.every((text) => text.startsWith(name))).toBe(true);
        expect(runs[0]?.differs).not.toEqual(runs[1]?.differs);
      }
    },
  );

  it.each(methodKinds.map((kind) => [kind.name, kind] as const))('shows the options of %s', (name, kind) => {
    const { options: own } = createMethod(name);
    for (const [key, option] of Object.entries(kind.options.shape as Record<string, z.ZodType>)) {
      const [one, other] = valuesOf(option);
      const configs = [one, other].map((value) => ({ method: name, [name]: { ...own, [key]: value } }));
      const { runs } = compared(configs[0] as object, configs[1] as object);
      expect(runs.map(({ differs }) => differs)).toEqual(
        [one, other].map((value) => [`${name}.${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`]),
      );
    }
  });

  it('takes a default that one version wrote for that of another, and other methods for what they are', () => {
    const { runs, groups } = compared({}, base);
    expect([runs[0]?.differs, groups.length]).toEqual([[], 1]);
    const { runs: others } = compared({ srrl: { alpha: 1 } }, { method: 'kd', kd: { kd: 0.9 } });
    expect(others.map(({ differs }) => differs)).toEqual([['srrl.alpha=1'], ['kd.kd=0.9']].map(() => []));
  });

  it('is on the page as well', () => {
    const runs = [makeRun({}), makeRun({ config: configOf({ ema: 0.9, trainImages: 120 }) })].map(readRun);
    const { head, rows } = runTable(compareRuns(runs));
    expect(head.slice(4, 6)).toEqual(['ema', 'trainImages']);
    expect(rows.map((row) => row.slice(4, 6))).toEqual([
      ['none', 'none'],
      ['0.9', '120'],
    ]);
    for (const cell of ['>ema</button>', 'data-label="trainImages">120</td>'])
      expect(comparisonPage(runs)).toContain(cell);
  });
});
