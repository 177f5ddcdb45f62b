/** Programs in documents pass the compiler as a user's do, also those that no test runs. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';

const options = {
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  },
  include: ['*.ts'],
};

it('TypeScript in documents compiles', () => {
  // Inside the package, so that its own name resolves; /runs/ is not a part of it.
  const folder = join(packageRoot, 'runs', 'docs-types');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  const documents = ['README.md', ...readdirSync(join(packageRoot, 'docs')).map((name) => `docs/${name}`)];
  let count = 0;
  for (const document of documents.filter((name) => name.endsWith('.md'))) {
    const text = readFileSync(join(packageRoot, document), 'utf8');
    for (const [, code = ''] of text.matchAll(/```(?:ts|ts-file|typescript)\n([\s\S]*?)```/g)) {
      writeFileSync(join(folder, `${document.replace(/\W/g, '-')}-${count}.ts`), `${code}\nexport {};\n`);
      count += 1;
    }
  }
  const { stdout } = spawnSync(process.execPath, [join(packageRoot, 'node_modules/typescript/bin/tsc'), '-p', folder], {
    encoding: 'utf8',
  });
  expect(count).toBeGreaterThan(15);
  expect(stdout).toBe('');
  rmSync(folder, { recursive: true });
});
