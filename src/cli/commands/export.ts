import { extname } from 'node:path';
import { loadStudent } from '../../distill/saved-student.js';
import { ConfigError } from '../../errors.js';
import { savePth, saveSafetensors } from '../../files/index.js';
import { z } from '../../options.js';
import { defineCommand } from '../command.js';

export const exportCommand = defineCommand({
  name: 'export',
  summary: 'write the weights of a trained student as a state dict for PyTorch (.pth) or others (.safetensors)',
  arguments: [
    { syntax: '<run>', description: 'run folder, or a student.safetensors' },
    { syntax: '<file>', description: 'FILE.pth or FILE.safetensors' },
  ],
  options: z.strictObject({
    json: z.boolean().default(false).describe('what was written as JSON on standard output'),
  }),
  examples: ['srrl export runs/a student.pth', 'srrl export runs/a student.safetensors'],
  async run({ json }, [path = '', file = '']) {
    const { student, card } = loadStudent(path);
    const state = student.stateDict();
    switch (extname(file)) {
      case '.pth':
      case '.pt':
        await savePth(file, state);
        break;
      case '.safetensors':
        saveSafetensors(file, state, { format: 'pt' });
        break;
      default:
        throw new ConfigError(`${file} must end in .pth or .safetensors.`);
    }
    const tensors = Object.keys(state).length;
    const result = { file, model: card.model, tensors, parameters: student.numParameters() };
    console.log(json ? JSON.stringify(result) : `${card.model}: ${tensors} tensors in ${file}`);
  },
});
