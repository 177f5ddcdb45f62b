import { describe, list, type ModelDescription } from '../../models/index.js';
import { z } from '../../options.js';
import { table } from '../../report/terminal.js';
import { defineCommand } from '../command.js';

export const modelsCommand = defineCommand({
  name: 'models',
  summary: 'list the architectures: input, parameters, operations, feature width',
  arguments: [{ syntax: '[name...]', description: 'architectures; default: all that are listed' }],
  options: z.strictObject({
    json: z.boolean().default(false).describe('print the result as JSON'),
  }),
  examples: ['srrl models', 'srrl models wrn_16_2 wrn_22_4 --json'],
  async run({ json }, names) {
    const found = (names.length > 0 ? names : list()).map(describe);
    console.log(json ? JSON.stringify(found) : modelTable(found));
  },
});

function modelTable(models: ModelDescription[]): string {
  const rows = models.map(({ name, input, numClasses, parameters, flops, featureChannels, summary }) => [
    name,
    input.join('x'),
    String(numClasses),
    parameters.toLocaleString('en'),
    `${(flops / 1e6).toFixed(1)} M`,
    String(featureChannels),
    summary,
  ]);
  return table(['model', 'input', 'classes', 'parameters', 'FLOPs', 'feature', 'family'], rows);
}
