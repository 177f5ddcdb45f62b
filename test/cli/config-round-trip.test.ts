import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { distillCommand } from '../../src/cli/commands/distill.js';
import { trainCommand } from '../../src/cli/commands/train.js';
import { valuesFromFile } from '../../src/cli/config-file.js';
import { methodText, parseMethods } from '../../src/distill/method-spec.js';
import { methodKinds } from '../../src/distill/methods/index.js';
import { srrlOptions } from '../../src/distill/methods/srrl.js';
import { distill, models, type TrainEvent } from '../../src/index.js';
import { validate } from '../../src/options.js';
import { saveSafetensors } from '../../src/torch.js';
import { srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-round-trip-'));
afterAll(() => rmSync(folder, { recursive: true }));

const module = join(folder, 'mine.mjs');
writeFileSync(
  module,
  `export default { name: 'mine', needsTeacher: true, options: { weight: 2 },
    setUp: () => ({ modules: {}, terms: ({ student }) => ({ mine: { weight: 2, value: student.logits.pow(2).mean() } }) }) };`,
);

const weights = join(folder, 'teacher.safetensors');
saveSafetensors(weights, models.create('resnet14', { numClasses: 12 }).stateDict());

/** The configuration that a run writes, without training anything. */
async function configOf(setup: Record<string, unknown>): Promise<Record<string, unknown>> {
  const given = { student: 'resnet8', data: 'shapes:24?test=60', dryRun: true, ...setup } as unknown as Parameters<
    typeof distill
  >[0];
  for await (const event of distill(given) as AsyncIterable<TrainEvent>)
    if (event.type === 'start') return event.config;
  throw new Error('the run did not start');
}

/** What `srrl distill --config` makes of a run's configuration. */
function optionsFrom(config: Record<string, unknown>) {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, stringify(config));
  const values = valuesFromFile(distillCommand.options, file, {});
  return validate(distillCommand.options, values, file) as Record<string, unknown>;
}

describe("a run's config.yaml", { timeout: 300_000 }, () => {
  const others = [
    'srrl:alpha=10,sr=ce,temperature=4,fmStage=1',
    'at:stages=0/2',
    'kd:temperature=2,kd=0.5',
    'srrl:alpha=3+kd:standardize=true',
    `module:${module}`,
  ];
  it.each([...methodKinds.map(({ name }) => name), ...others])('makes the same run again: %s', async (method) => {
    const teacher = `resnet14:${weights}`;
    const config = await configOf({ method, teacher, epochs: 3, augmentation: { randomErasing: {} }, ema: 0.9 });
    const { dryRun: _, json, ui, seeds, together, overwrite, resume, ...again } = optionsFrom(config);
    const flags = Object.keys(again).filter((name) => name in srrlOptions.shape);
    const text =
      flags.length > 0
        ? methodText('srrl', Object.fromEntries(flags.map((name) => [name, again[name]])))
        : again.method;
    for (const name of flags) delete again[name];
    expect(await configOf({ ...again, method: text })).toEqual(config);
  });

  it('of srrl train belongs to srrl train, another does not', () => {
    const file = join(folder, 'train.yaml');
    writeFileSync(file, stringify({ student: 'resnet8', method: 'ce', ce: {}, epochs: 3 }));
    expect(valuesFromFile(trainCommand.options, file, {})).toEqual({ student: 'resnet8', epochs: 3 });
    writeFileSync(file, stringify({ student: 'resnet8', method: 'kd', kd: { temperature: 2 } }));
    expect(() => valuesFromFile(trainCommand.options, file, {})).toThrow(/use srrl distill --config/);
  });

  it('is all that --resume needs, for one run and for several', () => {
    const [one, three] = [join(folder, 'one'), join(folder, 'three')];
    const options = ['--data', 'shapes:24?test=60', '--student', 'resnet8', '--epochs', '1', '--batch-size', '12'];
    srrl(['train', ...options, '--lr', '0.02', '--out', one]);
    srrl(['train', ...options, '--seeds', '2', '--out', three]);
    const before = readFileSync(join(one, 'config.yaml'), 'utf8');
    const resumed = srrl(['train', '--resume', '--out', one, '--json']);
    expect(resumed.stdout).toContain('"resumedAt":2');
    expect(readFileSync(join(one, 'config.yaml'), 'utf8')).toBe(before);
    const both = srrl(['train', '--resume', '--out', three, '--json']);
    expect(both.stdout.match(/"resumedAt":2/g)).toHaveLength(2);
    const other = srrl(['train', '--resume', '--out', one, '--lr', '0.1']);
    expect([other.status, other.stderr]).toEqual([1, expect.stringContaining('lr was 0.02 and is 0.1')]);
  });
});

describe('a method as text', () => {
  it('has lists of numbers', () => {
    const options = { stages: [0, 2] };
    expect(methodText('at', options)).toBe('at:stages=0/2/');
    expect(parseMethods('at:stages=0/2/').options).toMatchObject(options);
    expect(parseMethods('at:stages=1/').options).toMatchObject({ stages: [1] });
  });
});
