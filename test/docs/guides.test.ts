import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';
import { type Result, runExamples } from './examples.js';
import { actualOf, formOf } from './output.js';

const documents = [
  'docs/pytorch.md',
  'docs/guide-cli.md',
  'docs/guide-typescript.md',
  'docs/guide-research.md',
  'docs/deployment.md',
  'docs/profiling.md',
  'docs/tracking.md',
];

/**
 * `UPDATE_OUTPUTS=1 npx vitest run --config vitest.long.config.ts test/docs/guides.test.ts` writes what the examples print
 * into the documents.
 */
function update(document: string, results: readonly Result[]): void {
  const file = join(packageRoot, document);
  let text = readFileSync(file, 'utf8');
  for (const { at, shown, output } of [...results].reverse())
    if (shown !== undefined) {
      const actual = actualOf(shown, output) ?? output;
      text = text.slice(0, at) + actual + text.slice(at + shown.length);
    }
  writeFileSync(file, text);
}

describe('the examples of the guides run as they stand, and print what is shown', () => {
  it.each(documents)(
    '%s',
    async (document) => {
      const results = await runExamples(document);
      expect(results.length).toBeGreaterThan(0);
      for (const { code, status, output } of results) {
        expect(status, code + output).toBe(0);
        expect(output, code).not.toBe('');
      }
      if (process.env.UPDATE_OUTPUTS) update(document, results);
      else
        for (const { code, shown, output } of results)
          if (shown !== undefined) expect(actualOf(shown, output), `${code}prints\n${output}`).toBeDefined();
    },
    600_000,
  );
});

describe('an output that is shown', () => {
  const printed = 'epoch 1  loss 2.5\n│ a  │ 3.00 % │\n│ bb │ 4.00 % │\nsaved in runs/a, 1 min 5 s\n';

  it('may have other numbers and widths, and leave lines out', () => {
    expect(actualOf('epoch 1  loss 0.1\n...\nsaved in runs/a, 40 s\n', printed)).toBe(
      'epoch 1  loss 2.5\n...\nsaved in runs/a, 1 min 5 s\n',
    );
    expect(actualOf('...\n│ bb │ 12.00 % │\n...\n', printed)).toBe('...\n│ bb │ 4.00 % │\n...\n');
    expect(formOf('┌───┐')).toBe(formOf('┌─┐'));
  });

  it.each([
    ['another word', 'epoch 1  cost 2.5\n...\n'],
    ['a line too few', 'epoch 1  loss 2.5\n│ a │ 3.00 % │\n│ bb │ 4.00 % │\n'],
    ['another order', '...\n│ bb │ 4.00 % │\n│ a │ 3.00 % │\n...\n'],
    ['another table', '...\n│ a │ 3.00 % │ 1 │\n...\n'],
  ])('is refused for %s', (_, shown) => expect(actualOf(shown, printed)).toBeUndefined());
});
