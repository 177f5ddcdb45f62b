/** Commands that are printed for people to copy into a shell. */

/** Quotes a word for sh, bash and zsh: in single quotes if one of them would interpret a character of it. */
export const quoted = (word: string): string =>
  // zsh expands a word that begins with "=".
  /^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** The name to call this program by. npm sets the variable for npx and scripts, when `srrl` may not be on the PATH. */
const program = (): string => (process.env.npm_lifecycle_event ? 'npx srrl' : 'srrl');

/** Returns the command line of `srrl` with these words, ready to copy into a shell. */
export const srrlCommand = (...words: readonly string[]): string => [program(), ...words.map(quoted)].join(' ');
