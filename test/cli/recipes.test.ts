import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { models } from '../../src/index.js';
import { packageRoot, srrl } from '../helpers/cli.js';

const recipes = ['cifar100', 'imagenet'].flatMap((folder) =>
  readdirSync(join(packageRoot, 'recipes', folder)).map((file) => join('recipes', folder, file)),
);
const pairs = recipes.filter((file) => /\/[^/]+-[^/]+\.yaml$/.test(file) && !file.includes('crd-'));

describe('recipes', () => {
  it('are there for the 13 pairs of the CRD benchmark and the two of the authors', () => {
    expect(pairs).toHaveLength(15);
  });

  it.each(pairs)('%s names networks that exist', (file) => {
    const [teacher = '', student = ''] = (file.split('/').at(-1) as string).replace('.yaml', '').split(/-(?=[^-]+$)/);
    for (const name of [teacher, student]) expect(models.list()).toContain(name);
  });

  it('need data and a teacher only, and options of the file that they extend hold', () => {
    const file = 'recipes/cifar100/vgg13-MobileNetV2.yaml';
    const flags = ['--data', 'shapes:24?test=60', '--teacher', 'assets/shapes-teacher.pt', '--dry-run', '--json'];
    const { stdout, status } = srrl(['distill', '--config', file, ...flags, '--epochs', '2']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout.split('\n')[0] as string).config).toMatchObject({
      student: 'MobileNetV2',
      method: 'srrl',
      lr: 0.01,
      epochs: 2,
      batchSize: 64,
      milestones: [150, 180, 210],
    });
  }, 60_000);
});
