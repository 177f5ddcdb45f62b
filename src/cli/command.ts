/** What a command is, and how its options become flags. */
import { type Command as Commander, Option } from 'commander';
import { ConfigError } from '../errors.js';
import { kebabCase, validate, z } from '../options.js';
import { rememberGroup, valuesFromFile } from './config-file.js';

export interface Command<Options extends z.ZodObject = z.ZodObject> {
  name: string;
  summary: string;
  /** One flag an option, `--kebab-case`. */
  options: Options;
  /** Arguments without a flag, as in `<file>` or `[run...]`. */
  arguments?: { syntax: string; description: string }[];
  /** Whether `--config FILE` gives options in YAML; flags win. */
  configFile?: boolean;
  examples: string[];
  run(options: z.output<Options>, args: string[]): Promise<void>;
}

/** Lets TypeScript infer the options of a command. */
export const defineCommand = <Options extends z.ZodObject>(command: Command<Options>): Command =>
  command as unknown as Command;

interface Property {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: string[];
  /** Of a list. */
  items?: { type?: string };
}

/** Adds a command to the program. `done` hears of every run's end by promise. */
export function addCommand(program: Commander, command: Command): void {
  const { properties = {} } = z.toJSONSchema(command.options, { io: 'input' }) as {
    properties?: Record<string, Property>;
  };
  const added = program.command(command.name).summary(command.summary).description(command.summary);
  for (const { syntax, description } of command.arguments ?? []) added.argument(syntax, description);
  if (command.configFile)
    added.option('--config <file>', 'options in YAML, under the names of the flags in camelCase; flags win');
  for (const [key, property] of Object.entries(properties)) {
    for (const option of flagsFor(key, property)) added.addOption(option);
  }
  added.addHelpText('after', `\nExamples:\n${command.examples.map((example) => `  ${example}`).join('\n')}`);
  added.action(async (...given: unknown[]) => {
    const instance = given.at(-1) as Commander;
    const { config, ...flags } = instance.opts<Record<string, unknown>>();
    const file = command.configFile ? valuesFromFile(command.options, config as string | undefined, flags) : {};
    const values = { ...file, ...flags };
    const checked = validate(command.options, values, config === undefined ? 'the command line' : String(config));
    if (command.configFile) rememberGroup(values);
    await command.run(checked, instance.args);
  });
}

function flagsFor(key: string, { type, description = '', default: initial, enum: choices, items }: Property): Option[] {
  // Groups of options have no flags: they are written in a file.
  if (type === 'object') return [];
  const flag = kebabCase(key);
  const text = initial === undefined || type === 'boolean' ? description : `${description} (default ${initial})`;
  if (type === 'boolean') {
    const options = [new Option(`--${flag}`, text)];
    if (initial === true) options.push(new Option(`--no-${flag}`, `without ${description}`));
    // Commander would set a default for a flag that has a --no form; the schema has it already.
    return initial === true ? options.map((option) => option.default(undefined)).slice(1) : options;
  }
  const option = new Option(
    `--${flag} <${type === 'integer' || type === 'number' ? 'number' : type === 'array' ? 'list' : 'value'}>`,
    text,
  );
  if (choices) option.choices(choices);
  else if (type === 'integer' || type === 'number') option.argParser((value) => numberOf(flag, value));
  else if (type === 'array')
    option.argParser((value) =>
      value.split(',').map((item) => (items?.type === 'string' ? item.trim() : numberOf(flag, item))),
    );
  return [option];
}

function numberOf(flag: string, value: string): number {
  const number = Number(value);
  if (value.trim() === '' || Number.isNaN(number)) throw new ConfigError(`--${flag} takes a number, not '${value}'.`);
  return number;
}
