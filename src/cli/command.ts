/** Defines commands and turns their options into flags. */
import { type Command as Commander, Option } from 'commander';
import { obstacleTo } from '../atomic.js';
import { ConfigError } from '../errors.js';
import { kebabCase, neededValue, validate, type z } from '../options.js';
import { suggestions } from '../suggest.js';
import { rememberGroup, valuesFromFile } from './config-file.js';
import { addHelp, headingOf, inGroups, optionText, type Property, propertiesOf } from './help.js';

export interface Command<Options extends z.ZodObject = z.ZodObject> {
  name: string;
  summary: string;
  /** The options; each becomes a flag `--kebab-case`. */
  options: Options;
  /** Arguments without a flag, as in `<file>` or `[run...]`. */
  arguments?: { syntax: string; description: string }[];
  /** Whether `--config FILE` reads options from YAML; flags take precedence. */
  configFile?: boolean;
  examples: string[];
  /** Additional help that depends on the arguments: options of the method that `--method` names. */
  moreHelp?(args: readonly string[]): { heading: string; options: z.ZodObject } | undefined;
  run(options: z.output<Options>, args: string[]): Promise<void>;
}

/** Lets TypeScript infer the options of a command. */
export const defineCommand = <Options extends z.ZodObject>(command: Command<Options>): Command =>
  command as unknown as Command;

/** Adds a command to the program. */
export function addCommand(program: Commander, command: Command): void {
  const added = program.command(command.name).summary(command.summary).description(command.summary);
  for (const { syntax, description } of command.arguments ?? []) added.argument(syntax, description);
  const options = inGroups(Object.entries(propertiesOf(command.options)), ([, { group }]) => group);
  for (const [key, property] of options) for (const option of flagsFor(key, property)) added.addOption(option);
  if (command.configFile) {
    const option = new Option(
      '--config <file>',
      'options in YAML, named as the flags in camelCase; flags override the file',
    );
    added.addOption(option.helpGroup(headingOf('run')));
  }
  addHelp(added, command);
  added.configureOutput({ outputError: (text, write) => write(explained(text, added, command.options)) });
  added.action(async (...given: unknown[]) => {
    const instance = given.at(-1) as Commander;
    // Commander's own defaults, as for flags with a --no form, would override a file.
    const { config, ...flags } = Object.fromEntries(
      Object.entries(instance.opts<Record<string, unknown>>()).filter(
        ([name]) => instance.getOptionValueSource(name) !== 'default',
      ),
    );
    const file = command.configFile ? valuesFromFile(command.options, config as string | undefined, flags) : {};
    const values = { ...file, ...flags };
    const checked = validate(command.options, values, {
      where: config === undefined ? 'the command line' : String(config),
      command: command.name,
      flags: Object.keys(flags),
    });
    checkPlaces(checked);
    if (command.configFile) rememberGroup(values);
    await command.run(checked, instance.args);
  });
}

/** Options that name outputs. Checked first, because hours may pass before they are written. */
const places = ['out', 'tensorboard'];

function checkPlaces(options: Record<string, unknown>): void {
  for (const name of places) {
    const path = options[name];
    const obstacle = typeof path === 'string' && path !== '' ? obstacleTo(path) : undefined;
    if (obstacle !== undefined)
      throw new ConfigError(`Nothing can be written to --${name} ${path}: ${obstacle}. Choose another --${name}.`);
  }
}

function flagsFor(key: string, property: Property): Option[] {
  const { type, default: initial, enum: choices, items, short, group } = property;
  // Groups of options have no flags; they can only be set in a file.
  if (type === 'object') return [];
  const flag = kebabCase(key);
  const made = (flags: string): Option => {
    const option = new Option(flags, optionText(property));
    return group === undefined ? option : option.helpGroup(headingOf(group));
  };
  // Commander would set a default for a flag with a --no form; the schema already has it.
  if (type === 'boolean') return [initial === true ? made(`--no-${flag}`).default(undefined) : made(`--${flag}`)];
  const value = type === 'integer' || type === 'number' ? 'number' : type === 'array' ? 'list' : 'value';
  const option = made(`${short === undefined ? '' : `-${short}, `}--${flag} <${value}>`);
  // Help shows the choices; a wrong one is refused later, with all other options.
  if (choices) option.choices(choices).argParser((text) => text);
  else if (type === 'integer' || type === 'number') option.argParser(numberIn);
  else if (type === 'array')
    option.argParser((text) =>
      text.split(',').map((item) => (items?.type === 'string' ? item.trim() : numberIn(item))),
    );
  return [option];
}

/** Returns the number in a text; other text is returned unchanged and refused later by the schema. */
function numberIn(text: string): number | string {
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? text : number;
}

/** Returns Commander's error with the flag that was probably meant, or with the value that a flag needs. */
function explained(text: string, added: Commander, options: z.ZodObject): string {
  const unknown = /^error: unknown option '(-[^'=]+)/.exec(text)?.[1];
  if (unknown !== undefined) {
    const flags = added.options.map(({ long }) => long ?? '').filter((long) => long !== '');
    const meant = suggestions(
      unknown.replace(/^-+/, ''),
      flags.map((long) => long.slice(2)),
    );
    if (meant.length === 0) return text;
    return `error: unknown option '${unknown}'\n(Did you mean ${meant.map((name) => `--${name}`).join(' or ')}?)\n`;
  }
  const empty = /^error: option '(?:-\w, )?--([\w-]+) <.*argument missing/.exec(text)?.[1];
  const name = added.options.find(({ long }) => long === `--${empty}`)?.attributeName();
  if (empty === undefined || name === undefined || !Object.hasOwn(options.shape, name)) return text;
  return `error: --${empty} needs a value: ${neededValue(options, name)}\n`;
}
