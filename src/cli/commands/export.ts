import { ConfigError } from '../../errors.js';
import { type Exported, exportOptions, exportStudent } from '../../export/index.js';
import { z } from '../../options.js';
import { defineCommand } from '../command.js';

export const exportCommand = defineCommand({
  name: 'export',
  summary:
    'write a trained student for another runtime: ONNX, TorchScript, torch.export, its weights, or a folder for the Hugging Face hub',
  arguments: [
    { syntax: '<run>', description: 'run folder, or a student.safetensors' },
    { syntax: '[file]', description: 'the same as --out' },
  ],
  options: z.strictObject({
    out: z
      .string()
      .optional()
      .meta({ short: 'o' })
      .describe(
        'file or folder to write; its ending selects the format: .onnx, .torchscript.pt (or .pt), .pt2, .safetensors, .pth, FOLDER/',
      ),
    ...exportOptions.shape,
    json: z.boolean().default(false).describe('print what was written as JSON'),
  }),
  examples: [
    'srrl export runs/a --out student.onnx',
    'srrl export runs/a --out student.onnx --with-preprocessing --int8',
    'srrl export runs/a --out student.torchscript.pt --fold --half',
    'srrl export runs/a --out student.pth',
    'srrl export runs/a --out student.pt2',
    'srrl export runs/a --out my-student/',
  ],
  async run({ out, json, ...options }, [path = '', second]) {
    const file = out ?? second;
    if (file === undefined) throw new ConfigError('srrl export needs --out FILE: what to write, such as student.onnx.');
    if (out !== undefined && second !== undefined)
      throw new ConfigError(`Two outputs are named, and one can be written: pass --out ${out} or ${second}.`);
    const exported = await exportStudent(path, file, options);
    for (const notice of exported.notices) console.error(notice);
    console.log(json ? JSON.stringify(exported) : described(exported));
  },
});

function described({ file, format, bytes, card, verification }: Exported): string {
  const { runtime, images, source, maxDifference, sameTop1, latency = [] } = verification;
  const contents = images > 0 ? `${card.takes} -> ${card.returns}, ${card.precision}` : `${card.precision} weights`;
  const lines = [`${file}: ${card.model}, ${format}, ${(bytes / 1e6).toFixed(2)} MB, ${contents}`];
  if (images === 0) lines.push('verified: read back, every tensor is the same');
  else
    lines.push(
      `verified with ${runtime} on ${images} ${source}: largest difference ${maxDifference.toExponential(1)}, same top-1 ${(100 * sameTop1).toFixed(2)} %`,
    );
  for (const { images, milliseconds } of latency)
    lines.push(`latency: ${milliseconds.toFixed(2)} ms for ${images} image${images > 1 ? 's' : ''}`);
  const { quantization } = card;
  if (quantization)
    lines.push(
      `int8: ${quantization.top1After.toFixed(2)} % top-1 on ${quantization.images} test images, ${quantization.top1Before.toFixed(2)} % before`,
    );
  return lines.join('\n');
}
