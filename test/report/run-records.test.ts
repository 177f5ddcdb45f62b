import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileError } from '../../src/errors.js';
import { bestEpoch, readRun } from '../../src/report/run-records.js';
import { analysis, configOf, endOf, epochOf, linesOf, makeRun, startOf } from './runs.js';

const reading = (path: string) => {
  try {
    return readRun(path);
  } catch (error) {
    expect(error).toBeInstanceOf(FileError);
    return (error as FileError).message;
  }
};

describe('the records of a run', () => {
  it('are what is in the folder', () => {
    const path = makeRun({ analyzed: true });
    const run = readRun(path);
    const { examples, ...numbers } = analysis;
    expect(run.analysis?.examples).toEqual(examples.map(({ sample: _, ...example }) => example));
    expect(run).toMatchObject({
      path,
      config: configOf(),
      start: { parameters: 78042 },
      end: { seconds: 75 },
      analysis: numbers,
    });
    expect(run.epochs).toEqual([epochOf(1, 40), epochOf(2, 60), epochOf(3, 55)]);
    expect(bestEpoch(run)?.epoch).toBe(2);
  });

  it('are read up to a last line that was torn', () => {
    const path = makeRun({ events: linesOf([startOf({}), epochOf(1, 40)]) });
    appendFileSync(join(path, 'events.jsonl'), JSON.stringify(epochOf(2, 60)).slice(0, 80));
    expect(readRun(path).epochs).toEqual([epochOf(1, 40)]);
  });

  it('of a run that continues after its end have no end, and the latest of each epoch', () => {
    const events = [startOf({}), epochOf(1, 40), epochOf(2, 41), endOf(41), startOf({}), epochOf(2, 60)];
    const run = readRun(makeRun({ events: linesOf(events) }));
    expect([run.end, run.epochs]).toEqual([undefined, [epochOf(1, 40), epochOf(2, 60)]]);
  });

  it('may have numbers that are none', () => {
    const events = linesOf([{ ...epochOf(1, 40), loss: Number.NaN }]);
    expect(readRun(makeRun({ events })).epochs[0]?.loss).toBeNaN();
  });

  it.each([
    ['a line that is no JSON', `${linesOf([startOf({})])}{"type":\n${linesOf([epochOf(1, 40)])}`, 'line 2'],
    ['an epoch without accuracy', linesOf([startOf({}), { ...epochOf(1, 40), test: 40 }]), 'line 2: test'],
    ['a time that is none', linesOf([startOf({}), { ...epochOf(1, 40), time: 'noon' }]), 'line 2: time'],
    ['a value that is not an event', `${linesOf([startOf({}), epochOf(1, 40)])}7\n`, 'line 3'],
  ])('with %s are an error that says where', (_, events, where) => {
    expect(reading(makeRun({ events }))).toContain(`events.jsonl, ${where}`);
  });

  it('with a damaged configuration or analysis are an error that says where', () => {
    const path = makeRun({ analyzed: true });
    writeFileSync(join(path, 'analysis.json'), JSON.stringify({ ...analysis, classes: [] }));
    expect(reading(path)).toContain('analysis.json, line 1');
    const [example] = analysis.examples;
    const elsewhere = { ...example, image: 'https://example.org/a.png' };
    writeFileSync(join(path, 'analysis.json'), JSON.stringify({ ...analysis, examples: [elsewhere] }));
    expect(reading(path)).toContain('is not an embedded image');
    writeFileSync(join(path, 'analysis.json'), JSON.stringify({ ...analysis, examples: [{ ...example, label: 2 }] }));
    expect(reading(path)).toContain('class that does not exist');
    writeFileSync(join(path, 'config.yaml'), 'method: kd\nstudent: [resnet8\n');
    expect(reading(path)).toMatch(/config\.yaml, line [23]/);
    rmSync(join(path, 'config.yaml'));
    expect(reading(path)).toContain('not a run folder');
  });
});
