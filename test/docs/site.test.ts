import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';

const docs = join(packageRoot, 'docs');
const chapters: Record<string, string[]> = JSON.parse(readFileSync(join(docs, '.vitepress/chapters.json'), 'utf8'));
const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
const documents = [
  ...pages.map((name) => `docs/${name}`),
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'recipes/README.md'],
];
const read = (document: string) => readFileSync(join(packageRoot, document), 'utf8');

const { files } = JSON.parse(read('package.json')) as { files: string[] };
/** Whether npm packs a file, which lies in the repository. */
const isPacked = (file: string) =>
  ['README.md', 'LICENSE', ...files].some((name) => `${file}/`.startsWith(name.replace(/\/?(\*.*)?$/, '/')));

/** What GitHub and the site make of a heading. */
const anchorOf = (heading: string) =>
  heading
    .replace(/`/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
const anchorsOf = (document: string) =>
  [...read(document).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

describe('documentation', () => {
  it('has a place for each page in the site', () => {
    const placed = Object.values(chapters).flat();
    expect(pages.filter((name) => !placed.includes(name.replace('.md', '')))).toEqual([]);
    expect(placed.filter((name) => !pages.includes(`${name}.md`))).toEqual([]);
  });

  it.each(documents)('%s has links that lead somewhere, also in the installed package', (document) => {
    const broken = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^(https?|mailto):/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? document : join(dirname(document), path);
        if (!existsSync(join(packageRoot, file)) || !isPacked(file)) return true;
        return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).includes(anchor);
      });
    expect(broken).toEqual([]);
  });
});
