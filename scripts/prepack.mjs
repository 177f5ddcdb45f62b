// What npm runs before `npm pack` and `npm publish`: refuses unless each of package.json's platforms has a prebuild of
// these native sources, and compiles TypeScript into an empty dist/.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashOfNative, isStamped } from './stamp.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const { platforms } = read('package.json').binary;
const { version } = read('libtorch.json');
const prebuilds = join(root, 'prebuilds');
const present = existsSync(prebuilds) ? readdirSync(prebuilds) : [];
const current = hashOfNative(root);

const problems = platforms.flatMap((target) => {
  const folder = join(prebuilds, target);
  const missing = ['srrl.node', `srrl-torch-${version}.so`].filter((file) => !existsSync(join(folder, file)));
  if (missing.length > 0) return [`prebuilds/${target} has no ${missing.join(' and no ')}`];
  if (!isStamped(join(folder, 'stamp'), current))
    return [`prebuilds/${target} was made from other native sources than those of this checkout`];
  return [];
});
for (const target of present)
  if (!platforms.includes(target)) problems.push(`prebuilds/${target} is not in the list "platforms" of package.json`);
if (problems.length > 0) {
  console.error(`This package is not complete:\n${problems.map((problem) => `  ${problem}`).join('\n')}
Run \`npm run prebuilds\` on each platform, or copy the folders there that continuous integration has made.`);
  process.exit(1);
}

// The compiler removes nothing: the output of a source that is gone would be packed.
rmSync(join(root, 'dist'), { recursive: true, force: true });
const compiler = [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(root, 'tsconfig.build.json')];
// npm pack --json owns standard output.
const { status } = spawnSync(process.execPath, compiler, { cwd: root, stdio: ['ignore', 2, 2] });
process.exit(status ?? 1);
