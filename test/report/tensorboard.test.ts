import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { TensorBoardReporter } from '../../src/report/reporters/index.js';
import { readRun } from '../../src/report/run-records.js';
import { EventWriter, maskedCrc, writeTensorBoard } from '../../src/report/tensorboard.js';
import { eventSchema, experimentOf, sessionEnd, sessionStart } from '../../src/report/tensorboard-events.js';
import type { TrainEvent } from '../../src/train/index.js';
import { fixture } from '../helpers/inputs.js';
import { configOf, hostile, makeRun, newFolder, startOf } from './runs.js';

const startRest = { classes: 12, terms: {}, environment: {} };

interface Scalar {
  tag: string;
  value: number;
  step: number;
  wallTime: number;
}

const { scalars, file } = fixture<{ scalars: Scalar[]; file: string }>('event_files');

/** The payloads of TFRecord frames, whose checksums are checked. */
function records(file: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const payload = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 8)).toBe(maskedCrc(file.subarray(at, at + 8)));
    expect(file.readUInt32LE(at + 12 + length)).toBe(maskedCrc(payload));
    found.push(payload);
    at += 16 + length;
  }
  return found;
}

const decode = (payload: Uint8Array) => toJson(eventSchema, fromBinary(eventSchema, payload));

describe('event files', () => {
  it("are, byte for byte, those of TensorBoard's writer after the first event", () => {
    const [header, ...theirs] = records(Buffer.from(file, 'base64'));
    const writer = new EventWriter(newFolder(), { began: 1700000000 });
    for (const { tag, value, step, wallTime } of scalars) writer.scalar(tag, value, step, wallTime);
    writer.close();
    const [first, ...ours] = records(readFileSync(writer.file));
    expect(ours.map((payload) => payload.toString('hex'))).toEqual(theirs.map((payload) => payload.toString('hex')));
    expect(decode(first as Buffer)).toMatchObject({ wallTime: 1700000000, fileVersion: 'brain.Event:2' });
    expect(decode(header as Buffer)).toMatchObject({ fileVersion: 'brain.Event:2' });
  });

  it('hold numbers that are none', () => {
    const writer = new EventWriter(newFolder());
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e39]) writer.scalar('loss', value, 1, 1);
    writer.close();
    const values = records(readFileSync(writer.file)).slice(1).map(decode);
    expect(values).toMatchObject(
      ['NaN', 'Infinity', 'Infinity'].map((simpleValue) => ({ summary: { value: [{ tag: 'loss', simpleValue }] } })),
    );
  });

  it("have the HParams plugin's messages, byte for byte", () => {
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    const [began, ended] = [1700000000.5, 1700000001.5];
    expect({
      experiment: base64(experimentOf(['lr', 'srrl.alpha'], ['test/top1'])),
      number: base64(sessionStart({ lr: 0.05 }, began)),
      text: base64(sessionStart({ method: 'srrl' }, began)),
      boolean: base64(sessionStart({ nesterov: true }, began)),
      success: base64(sessionEnd(true, ended)),
      failure: base64(sessionEnd(false, ended)),
    }).toEqual(fixture('hparams'));
  });

  it('are written while a run is active, with its configuration', () => {
    const folder = newFolder();
    const reporter = new TensorBoardReporter(folder);
    reporter.on({ ...startOf(configOf({ srrl: { alpha: 10 } })), ...startRest } as unknown as TrainEvent);
    reporter.on({ type: 'step', step: 1, steps: 2, epoch: 1, epochs: 1, loss: 2, terms: { ce: 1 } });
    const [file = ''] = readdirSync(folder);
    const tags = () =>
      records(readFileSync(join(folder, file)))
        .slice(1)
        .map(decode)
        .map((event) => (event as { summary: { value: { tag: string }[] } }).summary.value[0]?.tag);
    const begun = ['_hparams_/experiment', '_hparams_/session_start_info', 'step/loss', 'step/terms/ce'];
    expect(tags()).toEqual(begun);
    reporter.close();
    expect(tags()).toEqual([...begun, '_hparams_/session_end_info']);
  });

  it.skipIf(!process.env.SRRL_PYTHON)('are read by TensorBoard', () => {
    const run = readRun(makeRun());
    const folder = newFolder();
    writeTensorBoard(run, folder);
    const program = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator(sys.argv[1])
found.Reload()
print(json.dumps({tag: [[e.step, e.wall_time, e.value] for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}))`;
    const { stdout, stderr } = spawnSync(process.env.SRRL_PYTHON as string, ['-c', program, folder], {
      encoding: 'utf8',
    });
    const at = (value: (epoch: (typeof run.epochs)[number]) => number | undefined) =>
      run.epochs.map((one) => [one.epoch, Date.parse(one.time ?? '') / 1000, Math.fround(value(one) as number)]);
    expect(JSON.parse(stdout || JSON.stringify(stderr))).toEqual({
      'train/loss': at(({ loss }) => loss),
      'train/terms/ce': at(({ terms }) => terms.ce),
      [`train/terms/${hostile}`]: at(({ terms }) => terms[hostile]),
      'train/top1': at(({ trainTop1 }) => trainTop1),
      'validation/top1': at(({ validation }) => validation?.top1),
      'validation/top5': at(({ validation }) => validation?.top5),
      'test/top1': at(({ test }) => test?.top1),
      'test/top5': at(({ test }) => test?.top5),
      'test/loss': at(({ test }) => test?.loss),
      lr: at(({ lr }) => lr),
      images_per_second: at(({ imagesPerSecond }) => imagesPerSecond),
    });
  });
});
