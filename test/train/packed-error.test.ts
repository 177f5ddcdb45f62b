import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as errors from '../../src/errors.js';
import { DivergenceError, SrrlError, train } from '../../src/index.js';
import { packed, revived } from '../../src/train/packed-error.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-error-'));
afterAll(() => rmSync(folder, { recursive: true }));
type ErrorClass = new (...values: never[]) => Error;
const classes = Object.entries(errors as unknown as Record<string, ErrorClass>).filter(([name]) =>
  name.endsWith('Error'),
);

describe('an error that crosses a thread', () => {
  it.each([...classes, ['TypeError', TypeError], ['RangeError', RangeError]] as [string, ErrorClass][])(
    'keeps the class %s, code, fields and cause',
    (name, Class) => {
      const made = Object.assign(new (Class as unknown as new (...values: unknown[]) => Error)('one', 'two'), {
        extra: [1, 2],
        cannot: () => {},
        cause: new errors.DataError('below'),
      });
      const back = revived(structuredClone(packed(made)));
      expect(back).toBeInstanceOf(Class);
      expect(back.constructor).toBe(Class);
      expect(back).toMatchObject({ name, message: made.message, stack: made.stack, extra: [1, 2] });
      expect((back as { code?: string }).code).toBe((made as { code?: string }).code);
      expect(back.cause).toBeInstanceOf(errors.DataError);
      expect(back).not.toHaveProperty('cannot');
    },
  );

  it('comes out of the thread of a run', async () => {
    const setup = { data: 'shapes:24?test=60', student: 'resnet8', epochs: 3, batchSize: 12, lr: 1e30 };
    const run = async (more: object = {}) => {
      for await (const _ of train({ ...setup, ...more }));
    };
    const diverged = await run().catch((error: unknown) => error);
    expect(diverged).toBeInstanceOf(DivergenceError);
    expect(diverged).toBeInstanceOf(SrrlError);
    expect(diverged).toMatchObject({ code: 'ERR_DIVERGED', step: 2, term: 'the term ce' });
    const file = join(folder, 'own.mjs');
    writeFileSync(
      file,
      'class Own extends Error { name = "Own"; hint = 7 }\nexport default () => { throw new Own("mine"); };',
    );
    await expect(run({ data: `module:${file}` })).rejects.toMatchObject({ name: 'Own', message: 'mine', hint: 7 });
  }, 60_000);
});
