// Writes guides and reference as a static site with search into build/site/; fails where a link leads nowhere.
//   npm run docs:site               (writes docs/api/ first)
// VitePress is fetched for it and is not a dependency of the package.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const vitepress = 'vitepress@1.6.4';
const root = fileURLToPath(new URL('..', import.meta.url));
const api = join(root, 'docs/api');

// The reference begins at api/, and its text is not a template: braces are mathematics there.
if (existsSync(join(api, 'index.md')))
  for (const file of readdirSync(api).filter((name) => name.endsWith('.md'))) {
    const path = join(api, file);
    const text = readFileSync(path, 'utf8').replace(/<!--[\s\S]*?-->/g, '');
    writeFileSync(`${path}.tmp`, text.startsWith('::: v-pre') ? text : `::: v-pre\n${text}\n:::\n`);
    renameSync(`${path}.tmp`, path);
  }

const { status } = spawnSync('npx', ['--yes', vitepress, 'build', 'docs'], { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
console.log('build/site/index.html');
