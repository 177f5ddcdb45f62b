/** The examples of a document, run in its order in one folder, with what they print. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformWithEsbuild } from 'vite';
import { packageRoot } from '../helpers/cli.js';

export interface Result {
  code: string;
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A ```sh block is given to bash, a ```ts block is a program, and a ```js block a file whose first line is its name. */
export async function runExamples(document: string): Promise<Result[]> {
  // Inside the package, so that its own name resolves; /runs/ is no part of it.
  const folder = join(packageRoot, 'runs', document.replace(/\W/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['assets', 'recipes']) symlinkSync(join(packageRoot, name), join(folder, name));
  const results: Result[] = [];
  const text = readFileSync(join(packageRoot, document), 'utf8');
  for (const [, language, code = ''] of text.matchAll(/```(sh|ts|js)\n([\s\S]*?)```/g)) {
    if (language === 'js') {
      writeFileSync(join(folder, code.match(/^\/\/ (\S+)/)?.[1] as string), code);
      continue;
    }
    const srrl = `set -e; srrl() { "${process.execPath}" "${packageRoot}/bin/srrl.js" "$@"; }\n`;
    const program = join(folder, `program-${results.length}.mjs`);
    if (language === 'ts')
      writeFileSync(program, (await transformWithEsbuild(code, 'example.ts', { target: 'es2022' })).code);
    const [command, args] = language === 'ts' ? [process.execPath, [program]] : ['bash', ['-c', srrl + code]];
    const { status, stdout, stderr } = spawnSync(command, args as string[], { cwd: folder, encoding: 'utf8' });
    results.push({ code, status, stdout, stderr });
  }
  rmSync(folder, { recursive: true });
  return results;
}
