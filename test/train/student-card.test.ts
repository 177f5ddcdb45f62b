/** What a run writes about its student, and who can read it. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/data/fingerprint.js';
import {
  distill,
  FileError,
  loadClassifier,
  loadStudent,
  models,
  openDataset,
  readStudentCard,
  type StudentCard,
  saveStudent,
  type TrainEvent,
  train,
} from '../../src/index.js';
import torch, { loadSafetensors, saveSafetensors, type Tensor } from '../../src/torch.js';
import { commandLine } from '../../src/train/provenance.js';
import { node, packageRoot, srrl } from '../helpers/cli.js';
import { maxDifference } from '../helpers/compare.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-card-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = 'shapes:24';
const teacher = join(packageRoot, 'assets/shapes-teacher.pt');
const quick = { data, epochs: 1, batchSize: 12, lr: 0.01 };

async function done(run: AsyncIterable<TrainEvent>): Promise<Extract<TrainEvent, { type: 'end' }>> {
  let last: TrainEvent | undefined;
  for await (const event of run) last = event;
  return last as Extract<TrainEvent, { type: 'end' }>;
}

/** A file with this text instead of its card. */
function withCard(file: string, card: unknown): string {
  const { tensors } = loadSafetensors(file);
  const written = join(folder, `card-${Math.random()}.safetensors`);
  saveSafetensors(written, tensors, { srrl: typeof card === 'string' ? card : JSON.stringify(card) });
  return written;
}

describe('the card of a run', () => {
  it('has everything that using the student takes, and where it came from', async () => {
    const out = join(folder, 'whole');
    const end = await done(distill({ ...quick, teacher, student: 'resnet8', method: 'srrl:alpha=3', epochs: 2, out }));
    const card = readStudentCard(out);
    const shapes = await openDataset(data);
    expect(card).toMatchObject({
      model: 'resnet8',
      input: [3, 32, 32],
      classes: shapes.classes,
      preprocessing: { resize: [32, 32], crop: [32, 32], mean: shapes.mean, std: shapes.std },
      method: { name: 'srrl', options: { alpha: 3, beta: 1 } },
      teacher: { source: teacher, sha256: createHash('sha256').update(readFileSync(teacher)).digest('hex') },
      dataSha256: fingerprintOf(shapes),
      accuracy: { split: 'test', top1: end.test.top1, top5: end.test.top5, count: end.test.count },
      epoch: 2,
      version: (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version,
      command: commandLine(),
    });
    expect(Math.abs(Date.now() - Date.parse(card.date as string))).toBeLessThan(600_000);
    expect(card.commit ?? '0'.repeat(40)).toMatch(/^[0-9a-f]{40}$/);
    const shown = srrl(['inspect', out]).stdout;
    for (const text of ['resnet8', 'split test', 'srrl alpha=3', card.teacher?.sha256, card.dataSha256, card.date])
      expect(shown).toContain(text);
    expect(JSON.parse(srrl(['inspect', out, '--json']).stdout)).toMatchObject({ ...card });
  });

  it('is that of the last epoch after a run was resumed, and of its own command', async () => {
    const out = join(folder, 'resumed');
    const once = { ...quick, student: 'resnet8', epochs: 3, out };
    const run = train(once);
    for await (const event of run) if (event.type === 'epoch') run.stop();
    const before = readStudentCard(out);
    expect(before.epoch).toBe(1);
    const end = await done(train({ ...once, resume: true }));
    const after = readStudentCard(out);
    expect(after).toMatchObject({ epoch: 3, accuracy: { top1: end.test.top1 }, classes: before.classes });
    expect(after.dataSha256).toBe(before.dataSha256);
    const args = ['--data', data, '--student', 'resnet8', '--epochs', '1', '--out', join(folder, 'by command')];
    expect(srrl(['train', ...args]).status).toBe(0);
    const { command } = readStudentCard(join(folder, 'by command'));
    expect(command).toBe(
      `srrl train --data ${data} --student resnet8 --epochs 1 --out '${join(folder, 'by command')}'`,
    );
  });

  it('describes a student that predicts through the classifier of its teacher', async () => {
    const out = join(folder, 'projected');
    await done(distill({ ...quick, teacher, student: 'resnet8', method: 'simkd', out }));
    expect(readStudentCard(out)).toMatchObject({
      method: { name: 'simkd' },
      projected: { studentChannels: 64 },
      classes: expect.any(Array),
    });
    await using classify = await loadClassifier(out, { topK: 1 });
    const pixels = { data: new Uint8Array(32 * 32 * 3).fill(128), width: 32, height: 32, channels: 3 } as const;
    expect(await classify(pixels)).toHaveLength(1);
  });
});

describe('networks of the user', () => {
  const source = `import { models } from ${JSON.stringify(join(packageRoot, 'dist/index.js'))};
export default (options) => models.create('resnet8', options);
`;

  it('are made again by their module, also where both were moved together', async () => {
    const place = join(folder, 'project');
    mkdirSync(place);
    writeFileSync(join(place, 'net.mjs'), source);
    const out = join(place, 'runs/a');
    await done(train({ ...quick, student: `module:${join(place, 'net.mjs')}`, out }));
    expect(readStudentCard(out).module).toEqual({ file: '../../net.mjs', export: 'default' });
    expect(srrl(['eval', out]).status).toBe(0);
    const elsewhere = join(folder, 'copy');
    mkdirSync(join(elsewhere, 'runs/a'), { recursive: true });
    const file = join(elsewhere, 'runs/a/student.safetensors');
    copyFileSync(join(out, 'student.safetensors'), file);
    rmSync(join(place, 'net.mjs'));
    expect(() => loadStudent(file)).toThrow(
      /net\.mjs.*does not exist.*--model module:FILE.*loadStudent\(path, \{ model/s,
    );
    expect(srrl(['predict', file, 'x.jpg']).stderr).toContain('--model module:FILE');
    writeFileSync(join(elsewhere, 'net.mjs'), source);
    // The module imports the compiled package, whose tensors are not those of the sources.
    const program = join(folder, 'program.mjs');
    const text = `import { loadStudent, models } from ${JSON.stringify(join(packageRoot, 'dist/index.js'))};
const file = ${JSON.stringify(file)};
const weights = ({ student }) => JSON.stringify(Object.values(student.stateDict()).map((tensor) => tensor.tolist()));
const given = loadStudent(file, { model: (options) => models.create('resnet8', options) });
console.log(weights(loadStudent(file)) === weights(given));`;
    writeFileSync(program, text);
    expect(node(program, [])).toMatchObject({ status: 0, stdout: 'true\n', stderr: '' });
    writeFileSync(join(elsewhere, 'odd.mjs'), 'export default 5;');
    expect(() => loadStudent(file, { model: `module:${join(elsewhere, 'odd.mjs')}` })).toThrow(/is not a function/);
    expect(() => loadStudent(file, { model: 'resnet8' })).toThrow(/must be module:FILE/);
  });

  it('are saved as objects too, and filled by whoever made them', async () => {
    const out = join(folder, 'object');
    const own = models.create('resnet8', { numClasses: 12 });
    await done(train({ ...quick, student: own, out }));
    expect(readStudentCard(out)).toMatchObject({ model: 'CifarResNet', object: true, epoch: 1 });
    expect(() => loadStudent(out)).toThrow(/an object of the program that trained it.*--model module:FILE/s);
    const { student } = loadStudent(out, { model: models.create('resnet8', { numClasses: 12 }) });
    const trained = own.stateDict();
    for (const [name, tensor] of Object.entries(student.stateDict()))
      expect(maxDifference(tensor, trained[name] as Tensor)).toBe(0);
  });
});

describe('files of other versions', () => {
  const file = join(folder, 'base.safetensors');
  const old: StudentCard = { model: 'resnet8', numClasses: 12, inChannels: 3, data };
  saveStudent(file, models.create('resnet8', { numClasses: 12 }), old);

  it('load without what they did not know, and predict with what their data set knows', async () => {
    expect(loadStudent(file).card).toEqual(old);
    await using classify = await loadClassifier(file);
    expect(classify.classes).toEqual((await openDataset(data)).classes);
    const lost = withCard(file, { ...old, data: 'folder:/nowhere' });
    await expect(loadClassifier(lost)).rejects.toThrow(
      /older version.*folder:\/nowhere cannot be opened.*--data kind:path/s,
    );
    await using named = await loadClassifier(lost, { data });
    expect(named.classes).toHaveLength(12);
    const grown = withCard(file, {
      ...old,
      later: { a: 1 },
      accuracy: { split: 'x', top1: 1, top5: 2, count: 3, f1: 4 },
    });
    expect(readStudentCard(grown)).toMatchObject({ later: { a: 1 }, accuracy: { f1: 4 } });
  });

  it.each<[string, unknown, RegExp]>([
    ['no JSON', '{', /is no JSON/],
    ['no object', '5', /content/],
    ['a wrong type', { ...old, epoch: 'two' }, /epoch/],
    ['a wrong type within', { ...old, accuracy: { split: 'test', top1: '9', top5: 1, count: 1 } }, /accuracy\.top1/],
    ['no model', { ...old, model: undefined }, /model/],
    ['another number of classes', { ...old, classes: ['a', 'b'] }, /names 2 classes, the network has 12/],
    [
      'another number of channels',
      { ...old, preprocessing: { resize: [8, 8], crop: [8, 8], mean: [0], std: [1] } },
      /preprocessing\.mean has 1 numbers for 3 channels/,
    ],
  ])('are refused with %s', (_what, card, message) => {
    const bad = withCard(file, card);
    expect(() => loadStudent(bad)).toThrow(FileError);
    expect(() => readStudentCard(bad)).toThrow(message);
    expect(() => readStudentCard(bad)).toThrow(bad);
  });

  it('name a file that holds weights alone', () => {
    const bare = join(folder, 'bare.safetensors');
    saveSafetensors(bare, { a: torch.zeros([1]) });
    expect(() => readStudentCard(bare)).toThrow(/does not say which model it holds/);
  });
});
