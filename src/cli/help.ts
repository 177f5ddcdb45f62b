/** Formats `--help`: options under headings, at any width of the terminal. */
import type { Command as Commander, Help } from 'commander';
import { type OptionGroup, type OptionHelp, optionGroups, z } from '../options.js';
import { widthOf, wrap } from '../report/layout.js';
import type { Command } from './command.js';

/** An option as JSON Schema describes it. */
export interface Property extends OptionHelp {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: string[];
  /** The type of a list's items. */
  items?: { type?: string };
}

/** Returns the options of a schema by name. */
export const propertiesOf = (schema: z.ZodObject): Record<string, Property> =>
  (z.toJSONSchema(schema, { io: 'input' }) as { properties?: Record<string, Property> }).properties ?? {};

/** The greatest width of help, in columns. */
const widest = 100;
/** With fewer columns next to the flags, descriptions go below them. */
const narrowest = 30;

export const headingOf = (group: OptionGroup): string => `${optionGroups[group]}:`;

/** Sorts items by the order of the headings; items without one come last. */
export function inGroups<Item>(items: Item[], groupOf: (item: Item) => OptionGroup | undefined): Item[] {
  const order = Object.keys(optionGroups);
  const rank = (item: Item) => (groupOf(item) === undefined ? order.length : order.indexOf(groupOf(item) as string));
  return [...items].sort((a, b) => rank(a) - rank(b));
}

/** Returns the description of a flag with its choices and default. */
export function optionText({ type, description = '', default: value, known, enum: choices, off }: Property): string {
  const initial = value ?? known;
  if (type === 'boolean') return initial === true ? (off ?? `turn off: ${description}`) : description;
  const facts = [
    ...(choices ? [choices.join(', ')] : []),
    ...(initial === undefined ? [] : [`default ${initial}`]),
  ].join('; ');
  return facts === '' ? description : `${description} (${facts})`;
}

/** The layout of all help texts. */
export const helpConfiguration: Partial<Help> = {
  sortSubcommands: false,
  get helpWidth() {
    return Math.min(widest, widthOf());
  },
  optionDescription: ({ description }) => description,
  formatItem: (term, termWidth, description) => item(term, termWidth, description),
  boxWrap: (text, width) => wrap(text, width, ''),
};

function item(term: string, termWidth: number, description: string): string {
  const width = Math.min(widest, widthOf());
  const room = width - termWidth - 4;
  const below = (text: string, column: number) => text.replaceAll('\n', `\n${' '.repeat(column)}`);
  if (room < narrowest) return `  ${term}\n      ${below(wrap(description, width - 6, ''), 6)}`;
  return `  ${term.padEnd(termWidth)}  ${below(wrap(description, room, ''), termWidth + 4)}`.trimEnd();
}

/** Adds examples and, if the arguments name a method, its options to the help of a command. */
export function addHelp(added: Commander, { configFile, examples, moreHelp }: Command): void {
  added.helpOption('-h, --help', 'show this help');
  if (configFile) added.createHelp().visibleOptions(added).at(-1)?.helpGroup(headingOf('output'));
  added.addHelpText('after', () => {
    const more = moreHelp?.(process.argv.slice(2));
    const rows = Object.entries(more ? propertiesOf(more.options) : {});
    const width = Math.max(0, ...rows.map(([key]) => key.length)) + 1;
    const own = more
      ? [`${more.heading}:`, ...rows.map(([key, one]) => item(`${key}=`, width, optionText(one))), '']
      : [];
    return ['', ...own, 'Examples:', ...examples.map(exampleText)].join('\n');
  });
}

/** Formats a command line for a shell, split over several lines if it is long. */
function exampleText(example: string): string {
  const width = Math.min(widest, widthOf());
  // Keeps a flag with its value and a comment with its command.
  const words = example.split(/ (?=--?\w|#)/);
  const lines: string[] = [];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width - 2) lines[lines.length - 1] = longer;
    else lines.push(lines.length === 0 ? `  ${word}` : `      ${word}`);
  }
  return lines.join(' \\\n');
}
