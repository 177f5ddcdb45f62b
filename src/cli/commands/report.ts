import { basename, join } from 'node:path';
import { ConfigError } from '../../errors.js';
import { z } from '../../options.js';
import { readRun, runFoldersIn, serveLive, writeReport, writeTensorBoard } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { interruptSignal } from '../run.js';

export const reportCommand = defineCommand({
  name: 'report',
  summary: 'write a page about a run: results, curves, mistakes, configuration',
  arguments: [{ syntax: '<run>', description: 'run folder, or a folder of several runs' }],
  options: z.strictObject({
    out: z.string().optional().describe('file for the page; default: report.html in the run folder'),
    tensorboard: z.string().optional().describe('folder for an event file of TensorBoard, instead of the page'),
    serve: z.boolean().default(false).describe('serve a page on this machine that follows the run, until Ctrl-C'),
    port: z.int().min(0).max(65535).default(0).describe('port of --serve; 0: any free one'),
  }),
  examples: ['srrl report runs/a', 'srrl report runs/a --serve', 'srrl report runs/a --tensorboard tb/a'],
  async run({ out, tensorboard, serve, port }, [path = '']) {
    if (serve) {
      const [folder, ...others] = runFoldersIn(path);
      if (others.length > 0)
        throw new ConfigError(`--serve shows one run, and ${path} holds several. Choose one, such as ${folder}.`);
      const server = await serveLive({ port, source: path });
      console.log(server.url);
      const signal = interruptSignal();
      await new Promise((done) => signal.addEventListener('abort', done, { once: true }));
      await server.close();
    } else if (tensorboard !== undefined) {
      const folders = runFoldersIn(path);
      for (const folder of folders) {
        const target = folders.length === 1 ? tensorboard : join(tensorboard, basename(folder));
        console.log(writeTensorBoard(readRun(folder), target));
      }
    } else {
      console.log(writeReport(path, out === undefined ? {} : { out }));
    }
  },
});
