import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/fuzz.mjs', import.meta.url));

describe('whatever a call is given, it works or throws a typed error', () => {
  it.each(['operators', 'own', 'calls'])(
    'by the target %s of the fuzzer',
    (target) => {
      const run = spawnSync(process.execPath, [script, '--target', target, '--cases', '4000', '--minutes', '2'], {
        encoding: 'utf8',
      });
      expect(run.stdout.split('repeat with')[0]).toMatch(new RegExp(`'${target}' +│ 4000`));
      expect(run.status).toBe(0);
    },
    180_000,
  );
});
