import { Command as Commander } from 'commander';
import stringWidth from 'string-width';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { addCommand, type Command } from '../../src/cli/command.js';
import { commands } from '../../src/cli/commands/index.js';
import { helpConfiguration, propertiesOf } from '../../src/cli/help.js';
import { optionGroups } from '../../src/options.js';
import { srrl } from '../helpers/cli.js';

afterEach(() => void vi.unstubAllEnvs());

/** The help of a command at a width. */
function helpOf(name: string, width: number): string {
  vi.stubEnv('COLUMNS', String(width));
  // A getter is asked again for each help.
  const program = new Commander('srrl').configureHelp(helpConfiguration);
  addCommand(program, commands.find((command) => command.name === name) as Command);
  const [added] = program.commands as [Commander];
  let text = '';
  added.configureOutput({ writeOut: (part) => (text += part) });
  added.outputHelp();
  return text;
}

describe('help', () => {
  it.each(commands.map(({ name }) => name))('of %s is not cut at any width', (name) => {
    const wide = helpOf(name, 400);
    const words = (text: string) => text.replaceAll(' \\\n', ' ').split(/\s+/);
    for (const width of [...Array(40).keys(), 60, 80].map((more) => 40 + more)) {
      const text = helpOf(name, width);
      // The terminal breaks what is long in one piece: the usage, and a flag with its value.
      const long = text
        .split('\n')
        .filter((line) => stringWidth(line) > width && !/^(Usage:| +--\S+ \S+( \\)?$)/.test(line));
      expect(long, `at ${width} columns`).toEqual([]);
      expect(words(text)).toEqual(words(wide));
    }
  });

  it('of distill has each option below the heading of its group, in their order', () => {
    const text = helpOf('distill', 100);
    const headings = [...text.matchAll(/^(\w.*):$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual([...Object.values(optionGroups), 'Examples']);
    const groupOf = (flag: string) =>
      headings.findLast(
        (heading) => text.indexOf(`\n${heading}:`) < text.search(new RegExp(`^ {2}(-\\w, )?${flag}`, 'm')),
      );
    const wanted = {
      data: 'Data',
      'teacher-cache': 'Teacher',
      student: 'Student',
      method: 'Method',
      lr: 'Optimization',
    };
    const more = { resume: 'Run', config: 'Run', precision: 'Device', out: 'Output', help: 'Output' };
    for (const [flag, group] of Object.entries({ ...wanted, ...more })) expect(groupOf(`--${flag} `)).toBe(group);
    expect(groupOf('--alpha ')).toBe(optionGroups.srrl);
  });

  it('says what a --no flag does', () => {
    for (const command of commands)
      for (const [name, { default: initial, off }] of Object.entries(propertiesOf(command.options)))
        if (initial === true) expect(off, `${command.name} --no-${name}`).toMatch(/^\w/);
    expect(helpOf('distill', 100)).toMatch(/--no-augment +no random crops and flips\n/);
  });

  it('of distill has the options of the method that is named', () => {
    const { stdout } = srrl(['distill', '--method', 'kd', '--help'], { COLUMNS: '100' });
    expect(stdout).toMatch(/Options of kd, as in --method kd:name=value:\n {2}\w+= .*default/);
  });
});
