import { LibtorchError, messageOf } from '../../errors.js';
import { builtAddons, findLibtorch, native, searchTrace } from '../../native.js';
import { z } from '../../options.js';
import { defineCommand } from '../command.js';

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'show what was looked for and found, and the command that mends what is wrong',
  options: z.strictObject({ json: z.boolean().default(false).describe('everything as JSON on standard output') }),
  examples: ['srrl doctor'],
  async run({ json }) {
    const { loader, addons } = builtAddons();
    const facts: Record<string, unknown> = {
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      addon: loader ? [...addons.values()] : 'not built',
      search: searchTrace(),
    };
    const problem = diagnose(facts);
    if (json) console.log(JSON.stringify({ ...facts, problem: problem ?? null }));
    else {
      for (const [name, value] of Object.entries(facts)) {
        const lines = Array.isArray(value) ? value.map(String) : String(value).trim().split('\n');
        console.log(`${name.padEnd(10)} ${lines.join(`\n${' '.repeat(11)}`)}`);
      }
    }
    if (problem) throw new LibtorchError(problem);
    if (!json) console.log('all is well');
  },
});

/** Adds what loading tells; returns what is wrong. */
function diagnose(facts: Record<string, unknown>): string | undefined {
  try {
    const { libtorch } = findLibtorch();
    facts.libtorch = `${libtorch.version} in ${libtorch.folder} (${libtorch.source})`;
    facts.devices = native().devices();
    facts.threads = native().numThreads();
    facts.build =
      native()
        .buildInformation()
        .match(/(CPU capability usage: \w+|Intel\(R\) MKL-DNN v[\d.]+|CUDA Runtime [\d.]+)/g) ?? [];
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
