// Fails where a text has a word for which the field has another one, British spelling, or a prose line of a document
// over 120 columns. Part of `npm run check`.
//   node scripts/check-words.mjs
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const own = 'scripts/check-words.mjs';
const widest = 120;

/** What is not written, and what is. */
const words = [
  [/\b(goes|going|went|gone) on\b/, 'continues, resumes'],
  [/\bto the bit\b/, 'bit-exact, bit for bit'],
  [/\bmends?\b|\bmending\b/, 'fixes'],
  [/\b(that|which) comes? again\b/, 'reproducible'],
  [/\bis no number\b/, 'is NaN or Inf'],
  [/\bdrawn (images|photos)\b/, 'synthetic'],
  [/\bnarrow numbers\b/, 'half precision'],
  [/\brecorded steps\b/, 'captured steps'],
  [/\bin place of\b/, 'instead of'],
  [/\bbesides\b/, 'next to, in addition to, also'],
  [/\bwithout being asked\b/, 'by default'],
  [/\ball is well\b/i, 'No problems found'],
  [
    /\b[Cc]olour|\b[Nn]eighbour|\b[Bb]ehaviour|\b[Ff]avour|\b[Ll]icence\b|\b[Cc]entres?\b|[Ff]lavour|\b[Gg]rey\b|\blabelled\b|\bcancelled\b|\btowards\b|[Cc]atalogue/,
    'American spelling',
  ],
];

const files = execFileSync('git', ['ls-files', '*.ts', '*.md', '*.cc', '*.h', '*.cu', '*.mjs', '*.sh', '*.yaml'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter(
    (file) => file !== '' && file !== own && !/generated|fixtures|CHANGELOG|docs\/licenses|data\/jpeg.test/.test(file),
  );

const found = [];
for (const file of files) {
  let inCode = false;
  for (const [i, line] of readFileSync(join(root, file), 'utf8').split('\n').entries()) {
    for (const [pattern, better] of words) {
      const [word] = line.match(pattern) ?? [];
      if (word !== undefined) found.push(`${file}:${i + 1}: "${word}": ${better}`);
    }
    if (!file.endsWith('.md')) continue;
    if (line.startsWith('```')) inCode = !inCode;
    const isProse = !inCode && !/^( {4}|\||\[|#)/.test(line);
    if (isProse && [...line].length > widest) found.push(`${file}:${i + 1}: ${[...line].length} columns`);
  }
}
for (const line of found) console.error(line);
console.log(`${files.length} files, ${found.length} findings`);
process.exitCode = found.length > 0 ? 1 : 0;
