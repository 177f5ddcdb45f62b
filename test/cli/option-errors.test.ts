import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command as Commander } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { addCommand, type Command } from '../../src/cli/command.js';
import { commands } from '../../src/cli/commands/index.js';
import { augmentOptions } from '../../src/data/augment/index.js';
import { ConfigError, distill, methodKinds, openDataset, train } from '../../src/index.js';
import { kebabCase, validate, z } from '../../src/options.js';
import { readRun } from '../../src/report/index.js';
import { trainOptions } from '../../src/train/options.js';
import { teacherOptions } from '../../src/train/targets.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-option-errors-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The words of the validator, none of which a user is to see. */
const raw = /Invalid (input|option|key|element)|Too (small|big)|received|Unrecognized|expected|undefined|\[object/;

interface Property {
  type?: string;
  enum?: string[];
  minimum?: number;
  exclusiveMinimum?: number;
  properties?: Record<string, Property>;
}

const propertiesOf = (options: z.ZodObject): [string, Property][] =>
  Object.entries(z.toJSONSchema(options, { io: 'input' }).properties as Record<string, Property>);

/** Values that are wrong for an option, as a file or a program may have them. */
function wrongFor({ type, enum: choices, minimum, exclusiveMinimum }: Property): unknown[] {
  const others: Record<string, unknown[]> = {
    string: choices ? ['zzzzz', 5, true] : [5, true, ['x']],
    boolean: ['yes', 0],
    integer: ['3', 'many', 1.5, 1e300, Number.NaN, true],
    number: ['0.1', 'much', Number.POSITIVE_INFINITY, Number.NaN, false],
    array: [3, 'x', [null], [[1]]],
    object: [3, 'x', [1], true],
  };
  const small = Math.abs(minimum ?? 1e300) < 1e15 ? [(minimum as number) - 1] : [];
  const bound = exclusiveMinimum === undefined ? [] : [exclusiveMinimum];
  const object = type === 'object' ? [] : [{ a: 1 }];
  return [null, ...object, ...(others[type ?? ''] ?? []), ...small, ...bound];
}

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return 'nothing was thrown';
}

/** What a command says to some arguments, in this process. It does not run. */
function speaker(command: Command): (args: string[]) => Promise<string> {
  let written = '';
  const program = new Commander('srrl')
    .exitOverride()
    .configureOutput({
      writeErr: (text) => {
        written += text;
      },
    })
    .showSuggestionAfterError();
  addCommand(program, { ...command, run: async () => {} });
  return async (args) => {
    written = '';
    const places = (command.arguments ?? []).map(() => 'x');
    try {
      await program.parseAsync([command.name, ...places, ...args], { from: 'user' });
      return 'nothing was thrown';
    } catch (error) {
      return written || (error as Error).message;
    }
  };
}

const said = (command: Command, args: string[]): Promise<string> => speaker(command)(args);
const named = (name: string): Command => commands.find((command) => command.name === name) as Command;
const given = ['--data', 'shapes', '--teacher', 'x.pt'];

describe.each(commands.map((command) => [command.name, command] as const))('srrl %s', (_name, command) => {
  const options = propertiesOf(command.options);
  const say = speaker(command);
  const needed: Record<string, string> = command.name === 'pack' ? { out: 'x' } : { data: 'shapes', teacher: 'x.pt' };
  const required = Object.entries(needed).filter(
    ([name]) => ['train', 'distill', 'pack'].includes(command.name) && Object.hasOwn(command.options.shape, name),
  );
  const flagsWithout = (left: string) => required.flatMap(([one, its]) => (one === left ? [] : [`--${one}`, its]));

  it('names the flag of a wrong value, what it must be and an example', async () => {
    for (const [name, property] of options) {
      if (property.type === 'object' || property.type === 'boolean') continue;
      const flag = `--${kebabCase(name)}`;
      const missing = await say([flag]);
      expect(missing).toMatch(new RegExp(`^error: ${flag} needs a value: .+ Example: ${flag} `));
      expect(missing).not.toMatch(raw);
      if (property.type === 'string' && !property.enum) continue;
      const values = wrongFor(property).filter((value) => typeof value !== 'object' && typeof value !== 'boolean');
      const tried = values.map(String).filter((text) => property.enum || Number.isNaN(Number(text)) || text !== '3');
      for (const value of tried) {
        // A text of digits is a number on a command line.
        if (property.type === 'number' && value === '0.1') continue;
        const message = await say([...flagsWithout(''), flag, value]);
        expect(message, `${flag} ${value}`).toMatch(
          new RegExp(`^${flag} must be .+, not .+\\. (Example: ${flag} |Did)`),
        );
        expect(message).not.toMatch(raw);
      }
    }
  });

  it.runIf(command.configFile)('names the option of a file, what it must be and an example', async () => {
    const file = join(folder, `${command.name}.yaml`);
    for (const [name, property] of options) {
      for (const value of wrongFor(property)) {
        const yaml = typeof value === 'number' && !Number.isFinite(value) ? (value > 0 ? '.inf' : '.nan') : undefined;
        writeFileSync(file, `${name}: ${yaml ?? JSON.stringify(value)}\n`);
        const message = await say(['--config', file, ...flagsWithout(name)]);
        expect(message, `${name}: ${JSON.stringify(value)}`).toMatch(
          new RegExp(`^Option '${name}[^']*' in .*yaml must be .+, not .+\\. (Example: ${name}: |Did you mean )`),
        );
        expect(message).not.toMatch(raw);
      }
    }
  });
});

it('a file turns off what is on by default', async () => {
  const file = join(folder, 'off.yaml');
  writeFileSync(file, 'data: shapes\naugment: false\nrecordSteps: false\n');
  let options: Record<string, unknown> = {};
  const program = new Commander('srrl');
  const run: Command['run'] = async (all) => {
    options = all;
  };
  addCommand(program, { ...named('train'), run });
  await program.parseAsync(['train', '--config', file, '--no-decay-norms'], { from: 'user' });
  expect(options).toMatchObject({ augment: false, recordSteps: false, decayNorms: false, epochs: 60 });
});

it('a missing option is named as a flag with its description', async () => {
  expect(await said(named('distill'), [])).toBe(
    'srrl distill needs --teacher: file of torch.export.save or TorchScript, model:weights.pth, or a run folder.',
  );
  expect(await said(named('distill'), ['--teacher', 'x.pt'])).toMatch(
    /^srrl distill needs --data: data set as kind:path, such as shapes or fashion-mnist:DIR/,
  );
  expect(await said(named('pack'), [])).toBe('srrl pack needs --out: file to write.');
});

describe('other names', () => {
  const pairs: [string, string][] = [
    ['learningRate', 'lr'],
    ['learning_rate', 'lr'],
    ['lr_schedule', 'schedule'],
    ['batch_size', 'batchSize'],
    ['bs', 'batchSize'],
    ['numEpochs', 'epochs'],
    ['optim', 'optimizer'],
    ['scheduler', 'schedule'],
    ['wd', 'weightDecay'],
    ['weight_decay', 'weightDecay'],
    ['gpu', 'device'],
    ['cuda', 'device'],
    ['arch', 'student'],
    ['model', 'student'],
    ['amp', 'precision'],
    ['bf16', 'precision'],
    ['outDir', 'out'],
    ['output_dir', 'out'],
    ['dataset', 'data'],
    ['warmup', 'warmupEpochs'],
    ['patience', 'earlyStop'],
  ];

  it.each(pairs)('%s is answered with %s: flag, file and program', async (other, name) => {
    const flag = `--${kebabCase(other)}`;
    for (const args of [[flag, '1'], [`${flag}=1`], [`--${other}`]]) {
      const message = await said(named('distill'), [...given, ...args]);
      expect(message).toMatch(new RegExp(`unknown option '--.*'\n\\(Did you mean --${kebabCase(name)}\\?\\)`));
    }
    const file = join(folder, 'other.yaml');
    writeFileSync(file, `${other}: 1\n`);
    const answer = `Unknown option '${other}' in .+\\. Did you mean ${name}\\?`;
    expect(await said(named('distill'), ['--config', file])).toMatch(new RegExp(answer));
    const setup = { student: 'resnet8', data: 'shapes', [other]: 1 };
    await expect(train(setup).next()).rejects.toThrow(new RegExp(answer));
  });

  it.each([
    ['kd', 'temp', 'temperature'],
    ['kd', 'T', 'temperature'],
    ['srrl', 'fm_stage', 'fmStage'],
    ['crd', 'feat_dim', 'dim'],
  ])('of the method %s, %s is answered with %s', (method, other, name) => {
    const kind = methodKinds.find((candidate) => candidate.name === method);
    const answer = new RegExp(`Unknown option '${other}' in the method ${method}\\. Did you mean .*${name}`);
    expect(messageOf(() => kind?.create({ [other]: 2 }))).toMatch(answer);
  });

  it('of the augmentation: the group is named as well', () => {
    const check = (values: object) => messageOf(() => validate(trainOptions, values, 'x.yaml'));
    expect(check({ augmentation: { mixup: { alhpa: 1 } } })).toBe(
      "Unknown option 'augmentation.mixup.alhpa' in x.yaml. Did you mean alpha?",
    );
    expect(check({ mixup: { alpha: 1 } })).toBe("Unknown option 'mixup' in x.yaml. Did you mean augmentation.mixup?");
    expect(check({ augmentation: { rand_augment: {} } })).toMatch(/Did you mean randAugment\?/);
    expect(check({ augmentation: { mixup: { alpha: 'x' } } })).toBe(
      "Option 'augmentation.mixup.alpha' in x.yaml must be a number above 0, not 'x'. Example: augmentation: { mixup: { alpha: 1 } }",
    );
  });

  it('of a wrong word: the nearest, or what it is called here', () => {
    const check = (values: object) => messageOf(() => validate(trainOptions, values, 'x.yaml'));
    expect(check({ optimizer: 'adam' })).toMatch(/must be one of sgd, adamw, lion, not 'adam'\. Did you mean adamw\?$/);
    expect(check({ precision: 'bf16' })).toMatch(/Did you mean bfloat16\?$/);
    expect(check({ lr: '0.1' })).toMatch(/not '0.1' \(a text; write it without quotes\)\. Example: lr: 0.05$/);
    expect(check({ device: 0 })).toMatch(/must be text, not 0 \(a number; write it in quotes\)/);
    expect(check({ milestones: [3, 0] })).toMatch(
      /'milestones' in x.yaml must be a list of whole numbers of at least 1, not \[ 3, 0 \]\. Example: milestones: \[1\]$/,
    );
  });
});

describe('options behind the path of a data set', () => {
  it.each([
    [`folder:${folder}?szie=224`, /Unknown option 'szie' in folder:.*\. Did you mean size\?/],
    [
      `folder:${folder}?size=4`,
      /Option 'size' in .* must be a whole number from 8 to 4096, not '4'\. Example: size=224/,
    ],
    [`folder:${folder}?size=big`, /must be a whole number from 8 to 4096, not 'big'/],
    [`shards:${folder}?size=-1`, /must be a whole number from 8 to 4096/],
    [`shards:${folder}?image_size=96`, /Did you mean size\?/],
    [`parquet:${folder}?imageColumn=photo`, /Did you mean image\?/],
    [`cifar100:${folder}?size=32`, /Unknown option 'size' in cifar100:.*\. It has no options\./],
    ['shapes:600?seed=1', /Unknown option 'seed' in shapes:600\?seed=1/],
  ])('%s', async (source, message) => {
    const error = await openDataset(source).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toMatch(raw);
  });
});

it.each(methodKinds.map((kind) => [kind.name, kind] as const))('the method %s names its options', (name, kind) => {
  for (const [option, property] of propertiesOf(kind.options)) {
    for (const value of wrongFor(property)) {
      const message = messageOf(() => kind.create({ [option]: value }));
      expect(message).toMatch(
        new RegExp(`^Option '${option}' in the method ${name} must be .+, not .+ (Example: ${option}: |Did)`),
      );
      expect(message).not.toMatch(raw);
    }
  }
});

it('the loader and the run name a wrong augmentation', () => {
  for (const [option, property] of propertiesOf(augmentOptions)) {
    for (const value of wrongFor(property)) {
      const message = messageOf(() => validate(augmentOptions, { [option]: value }, 'the augmentation'));
      expect(message).toMatch(new RegExp(`^Option '${option}' in the augmentation must be .+, not .+ (Example: |Did)`));
      expect(message).not.toMatch(raw);
    }
  }
});

describe('a program', () => {
  const setup = { student: 'resnet8', teacher: 'x.pt', data: 'shapes' };

  it('hears of a wrong option by its name before anything is opened', async () => {
    const all = z.strictObject({ ...trainOptions.shape, ...teacherOptions.shape, out: z.string(), tap: z.string() });
    for (const [option, property] of propertiesOf(all)) {
      for (const value of wrongFor(property).slice(1, 4)) {
        const error = await distill({ ...setup, [option]: value } as typeof setup)
          .next()
          .catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(ConfigError);
        expect((error as Error).message).toMatch(
          new RegExp(`^Option '${option}' in .*distill\\(\\) must be .+, not .+ (Ex|Did)`),
        );
        expect((error as Error).message).not.toMatch(raw);
      }
    }
  });

  it('hears of what is missing or of another kind', async () => {
    const wrong: [object | null, RegExp][] = [
      [{ teacher: 'x.pt', data: 'shapes' }, /^Option 'student' in .* is missing: it must be the name of a model, such/],
      [
        { student: 'resnet8', data: 'shapes' },
        /^Option 'teacher' in .* is missing: it must be a file, such as teacher.pt/,
      ],
      [{ ...setup, data: 5 }, /^Option 'data' in .* must be kind:path, such as shapes or .*, not 5/],
      [{ ...setup, method: () => 1 }, /^Option 'method' in .* must be a method, such as srrl or .*, not a function/],
      [{ ...setup, signal: 'x' }, /^Option 'signal' in .* must be an AbortSignal, not 'x'/],
      [null, /must be an object of names and values, not null/],
    ];
    for (const [options, message] of wrong) {
      const run = distill(options as typeof setup);
      const error = await run.next().catch((reason: unknown) => reason as Error);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).not.toMatch(raw);
    }
  });
});

it('a damaged record of a run is described in plain words', () => {
  writeFileSync(join(folder, 'config.yaml'), 'data: shapes\n');
  const lines: [object, RegExp][] = [
    [{ type: 'start' }, /line 1: config is missing: it must be an object/],
    [{ type: 'epoch', epoch: 0, epochs: 3 }, /epoch must be a whole number of at least 1, not 0/],
    [
      { type: 'start', time: 'noon', config: {}, parameters: 3 },
      /time must be a date and time in ISO 8601, not 'noon'/,
    ],
    [{ type: 'end', test: { top1: 'x' } }, /test\.top1 must be a number or null, not 'x'/],
  ];
  for (const [event, message] of lines) {
    writeFileSync(join(folder, 'events.jsonl'), `${JSON.stringify(event)}\n`);
    expect(() => readRun(folder)).toThrow(message);
    expect(() => readRun(folder)).not.toThrow(raw);
  }
});
