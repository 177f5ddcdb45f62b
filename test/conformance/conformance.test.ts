import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { torch } from '../../src/torch.js';
import { explained } from './explained.js';
import { type RecordedCall, readCorpus } from './format.js';
import { replay, replayAll } from './replay.js';
import { report, share, unexplained } from './report.js';

const shipped = join(dirname(fileURLToPath(import.meta.url)), 'corpus');
const folder = process.env.SRRL_CORPUS ?? shipped;

describe(`the recorded calls in ${process.env.SRRL_CORPUS ?? 'test/conformance/corpus'}`, () => {
  it('match in value, but for what is explained', () => {
    const before = torch.memory();
    const outcome = replayAll(readCorpus(folder));
    console.log(report(outcome, explained));
    expect(share(outcome)).toBeGreaterThanOrEqual(0.99);
    expect(unexplained(outcome, explained)).toEqual([]);
    expect(torch.memory()).toEqual(before);
    if (folder === shipped) expect(outcome.operators.size).toBeGreaterThanOrEqual(500);
  });
});

describe('the harness', () => {
  const find = (operator: string, fits: (call: RecordedCall) => boolean): RecordedCall => {
    for (const call of readCorpus(shipped)) if (call.operator === operator && fits(call)) return structuredClone(call);
    throw new Error(`The corpus has no such call of ${operator}.`);
  };
  const spoil = (encoded: unknown): void => {
    const { tensor } = encoded as { tensor: { data: string } };
    const bytes = Buffer.from(tensor.data, 'base64');
    bytes[bytes.length - 2] = (bytes.at(-2) as number) ^ 0x10;
    tensor.data = bytes.toString('base64');
  };

  it('is given a corpus', () => expect(existsSync(shipped)).toBe(true));

  it('reports a wrong value', () => {
    const call = find('aten::mul.Tensor', ({ gradients }) => gradients !== undefined);
    expect(replay(call)).toBeUndefined();
    spoil(call.results[0]);
    expect(replay(call)).toMatch(/result 0: element \d+ of float64 should be/);
    const outcome = replayAll([call]);
    expect(share(outcome)).toBe(0);
    const because = (difference: RegExp) => ({ 'aten::mul.Tensor': { difference, reason: 'a test' } });
    expect(unexplained(outcome, {})).toHaveLength(1);
    expect(unexplained(outcome, because(/throws/))).toHaveLength(1);
    expect(unexplained(outcome, because(/result 0: element/))).toHaveLength(0);
  });

  it('reports a wrong gradient', () => {
    const call = find('aten::mul.Tensor', ({ gradients }) => gradients !== undefined);
    spoil(call.gradients?.values[0]);
    expect(replay(call)).toMatch(/gradient of argument 0: element/);
  });

  it('reports a wrong change in place, a wrong dtype and a wrong shape', () => {
    const call = find('aten::add_.Tensor', ({ written }) => written !== undefined);
    expect(replay(call)).toBeUndefined();
    spoil(call.written?.[0]);
    expect(replay(call)).toMatch(/argument 0 afterwards: element/);
    const functional = find('aten::mul.Tensor', ({ results }) => JSON.stringify(results[0]).includes('float64'));
    const { tensor } = functional.results[0] as { tensor: { dtype: string; shape: number[] } };
    tensor.shape.push(1);
    expect(replay(functional)).toMatch(/expected shape/);
    tensor.dtype = 'float32';
    expect(replay(functional)).toMatch(/expected dtype float32, got float64/);
  });

  it('reports a call that throws', () => {
    expect(replay({ operator: 'aten::no_such', args: [], kwargs: {}, results: [] })).toMatch(/throws .*no operator/);
  });
});
