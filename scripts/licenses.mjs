// Writes docs/licenses.md from package-lock.json: what is installed with this package, in which version and under which
// license. With --check, exits with 1 where the page is stale or a license is not one of the accepted.
//   node scripts/licenses.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs';

const page = 'docs/licenses.md';
/** Licenses under which code may be used and distributed with this package, each by itself or together. */
const accepted = new Set(['MIT', 'ISC', '0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0']);
/** libvips, which sharp loads as a shared library of its own. */
const asLibrary = /^@img\/sharp-/;

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const installed = Object.entries(packages)
  .filter(([path, { dev, devOptional, peer }]) => path !== '' && !dev && !devOptional && !peer)
  .map(([path, { version, license = 'unknown', integrity, optional = false }]) => {
    return { name: path.replace(/^.*node_modules\//, ''), version, license, integrity, optional };
  })
  .sort((a, b) => (a.name === b.name ? a.version.localeCompare(b.version) : a.name < b.name ? -1 : 1));

const problems = installed.flatMap(({ name, license, integrity }) => {
  const parts = license.replace(/[()]/g, '').split(/ (?:AND|OR) /);
  const allowed = parts.every((part) => accepted.has(part) || (asLibrary.test(name) && part === 'LGPL-3.0-or-later'));
  return [
    ...(allowed ? [] : [`${name} has the license ${license}, which is not one of ${[...accepted].join(', ')}`]),
    ...(integrity ? [] : [`${name} has no checksum in package-lock.json`]),
  ];
});

const text = `# Licenses of what is installed

\`npm install srrl\` installs these packages; optional ones only on machines that they are for. Versions and checksums are
pinned in \`package-lock.json\`, and the direct dependencies also in \`package.json\`. libtorch is not part of the package:
it has the license of PyTorch (BSD-3-Clause). \`@img/sharp-libvips-*\` are shared libraries under LGPL-3.0-or-later, which
sharp loads and which can be replaced. \`node scripts/licenses.mjs\` writes this page.

| package | version | license | optional |
| --- | --- | --- | --- |
${installed.map(({ name, version, license, optional }) => `| ${name} | ${version} | ${license.replace(/[()]/g, '')} | ${optional ? 'yes' : ''} |`).join('\n')}
`;

// The formatter aligns the columns of the table.
const plain = (content) => content.replace(/[ -]+/g, ' ').replace(/\s*\n\s*/g, '\n');

if (process.argv.includes('--check')) {
  if (plain(readFileSync(page, 'utf8')) !== plain(text))
    problems.push(`${page} is stale: run node scripts/licenses.mjs`);
} else writeFileSync(page, text);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
