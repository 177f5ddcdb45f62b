import { openDataset } from '../../data/datasets/index.js';
import { splitFingerprint } from '../../data/fingerprint.js';
import { remoteOf, remoteOptions } from '../../data/remote/options.js';
import { deviceFor } from '../../distill/run-device.js';
import { asSeenBy, loadStudent } from '../../distill/saved-student.js';
import { mustDoTheSame, stateHash } from '../../distributed/state.js';
import { ConfigError, FileError } from '../../errors.js';
import { z } from '../../options.js';
import { accuracyText } from '../../report/terminal.js';
import { evaluateTogether } from '../../train/index.js';
import { defineCommand } from '../command.js';
import { ownDevice, processes, speaks, withRanks } from '../ranks.js';

const evalOptions = z.strictObject({
  data: z.string().optional().describe('data set as kind:path; default: that of the run'),
  device: z.string().optional().describe('cpu, cuda or cuda:1; default: the device of the run, or else the CPU'),
  ...remoteOptions.shape,
  model: z.string().optional().describe('module:FILE that makes the network, if it is your own and its file has moved'),
  json: z.boolean().default(false).describe('print the result as JSON'),
});
type EvalOptions = z.output<typeof evalOptions>;

export const evalCommand = defineCommand({
  name: 'eval',
  summary: 'measure the accuracy of a trained student on a test split',
  arguments: [{ syntax: '<run>', description: 'run folder, or a student.safetensors' }],
  options: evalOptions,
  examples: ['srrl eval runs/a', 'srrl eval runs/a --data shapes --device cuda --json'],
  run: (options, [path = '']) => withRanks('cpu', () => measure(path, options)),
});

async function measure(path: string, options: EvalOptions): Promise<void> {
  const { data: source, device: asked, model, json, ...remote } = options;
  const { student, card } = loadStudent(path, model === undefined ? {} : { model });
  const data = asSeenBy(card, await openDataset(source ?? card.data, remoteOf(remote)));
  if (data.classes.length !== card.numClasses || data.channels !== card.inChannels) {
    throw new ConfigError(
      `${path} takes ${card.inChannels}-channel images of ${card.numClasses} classes; ${data.source} has ${data.channels} and ${data.classes.length}.`,
    );
  }
  if (processes() > 1)
    mustDoTheSame('evaluation', {
      'weights of the student': stateHash(student.stateDict()),
      'test images': splitFingerprint(data, 'test'),
    });
  const { device, notice } = deviceFor(path, ownDevice(asked));
  if (notice && speaks()) console.error(notice);
  student.to({ device, memoryFormat: 'channelsLast' });
  const result = await evaluateTogether((images) => student.forward(images), data, device);
  if (result.nonFinite)
    throw new FileError(
      `${path} returns NaN or Inf for ${result.nonFinite} of ${result.count} images: its weights are damaged. Train it again, or resume from an older checkpoint.`,
    );
  if (!speaks()) return;
  console.log(
    json ? JSON.stringify({ run: path, data: data.source, model: card.model, ...result }) : accuracyText(result),
  );
}
