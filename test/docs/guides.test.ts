import { describe, expect, it } from 'vitest';
import { runExamples } from './examples.js';

describe('the examples of the guides run as they stand', () => {
  it.each([
    'docs/pytorch.md',
    'docs/guide-cli.md',
    'docs/guide-typescript.md',
    'docs/guide-research.md',
    'docs/deployment.md',
  ])(
    '%s',
    async (document) => {
      const results = await runExamples(document);
      expect(results.length).toBeGreaterThan(2);
      for (const { code, status, stderr, stdout } of results) {
        expect(status, code + stderr).toBe(0);
        expect(stdout, code).not.toBe('');
      }
    },
    180_000,
  );
});
