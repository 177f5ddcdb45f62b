/** The site of guides and reference: `npm run docs:site`. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const docs = fileURLToPath(new URL('..', import.meta.url));

/** Pages by chapter, in the order of the sidebar; a test sees to it that none is missing. */
const chapters = JSON.parse(readFileSync(new URL('chapters.json', import.meta.url), 'utf8'));

const titleOf = (page) => readFileSync(join(docs, `${page}.md`), 'utf8').match(/^# (.*)$/m)?.[1] ?? page;
const known = (page) => existsSync(join(docs, `${page}.md`));

export default {
  title: 'srrl',
  description: 'Knowledge distillation at native speed from Node.js',
  outDir: '../build/site',
  cleanUrls: true,
  // What lies outside of docs/ is read in the repository.
  ignoreDeadLinks: [/^(\.\.?\/)+(CONTRIBUTING|README|SECURITY|CHANGELOG|recipes|examples|bench|src|native|scripts)/],
  // Braces in docstrings are mathematics.
  markdown: {
    attrs: { disable: true },
    // Comments in code are to be read.
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    languageAlias: { 'js-config': 'js', 'ts-file': 'ts', 'sh-session': 'sh' },
  },
  themeConfig: {
    search: { provider: 'local' },
    nav: [{ text: 'Reference', link: '/api/' }],
    sidebar: [
      ...Object.entries(chapters).map(([text, pages]) => ({
        text,
        items: pages.filter(known).map((page) => ({ text: titleOf(page), link: `/${page}` })),
      })),
      { text: 'Reference', items: [{ text: 'API', link: '/api/' }] },
    ],
  },
};
