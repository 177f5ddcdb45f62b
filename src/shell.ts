/** Commands that are printed for people to copy into a shell. */

/** A word as sh, bash and zsh take it: in single quotes where it holds anything that one of them would interpret. */
export const quoted = (word: string): string =>
  // zsh expands a word that begins with "=".
  /^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** How this program is called. npm sets the variable for `npx srrl` and scripts: then `srrl` may not be on the path. */
const program = (): string => (process.env.npm_lifecycle_event ? 'npx srrl' : 'srrl');

/** The command line of `srrl` with these words, ready to be copied. */
export const srrlCommand = (...words: readonly string[]): string => [program(), ...words.map(quoted)].join(' ');
