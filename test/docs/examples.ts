/**
 * The examples of a document, run in its order in one folder, with what they print and what the document shows of it.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformWithEsbuild } from 'vite';
import { packageRoot } from '../helpers/cli.js';
import { progressLess } from './output.js';

export interface Result {
  code: string;
  status: number | null;
  /** Standard output and standard error in the order in which a terminal shows them. */
  output: string;
  /** The ```text block behind the example. */
  shown?: string;
  /** Where that block is in the document. */
  at: number;
}

const srrl = `set -e; srrl() { "${process.execPath}" "${packageRoot}/bin/srrl.js" "$@"; }\n`;

/**
 * A ```sh block is given to bash, a ```ts block is a program, and a ```js block a file whose first line is its name.
 */
export async function runExamples(document: string): Promise<Result[]> {
  // Inside the package, so that its own name resolves; /runs/ is not a part of it.
  const folder = join(packageRoot, 'runs', document.replace(/\W/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['assets', 'recipes']) symlinkSync(join(packageRoot, name), join(folder, name));
  const results: Result[] = [];
  const text = readFileSync(join(packageRoot, document), 'utf8');
  for (const match of text.matchAll(/```(sh|ts|js)\n([\s\S]*?)```(?:\n\n```text\n([\s\S]*?)```)?/g)) {
    const [whole, language, code = '', shown] = match;
    if (language === 'js') {
      writeFileSync(join(folder, code.match(/^\/\/ (\S+)/)?.[1] as string), code);
      continue;
    }
    const program = join(folder, `program-${results.length}.mjs`);
    if (language === 'ts')
      writeFileSync(program, (await transformWithEsbuild(code, 'example.ts', { target: 'es2022' })).code);
    const [command, args] = language === 'ts' ? [process.execPath, [program]] : ['bash', ['-c', srrl + code]];
    const file = join(folder, `output-${results.length}.txt`);
    const out = openSync(file, 'w');
    const { status } = spawnSync(command as string, args as string[], { cwd: folder, stdio: ['ignore', out, out] });
    closeSync(out);
    const output = progressLess(readFileSync(file, 'utf8'));
    const at = match.index + whole.length - 3 - (shown?.length ?? 0);
    results.push({ code, status, output, at, ...(shown !== undefined && { shown }) });
  }
  rmSync(folder, { recursive: true });
  return results;
}
