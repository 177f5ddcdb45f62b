import { z } from '../../options.js';
import { readRun, serveLive, writeReport, writeTensorBoard } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { interruptSignal } from '../run.js';

export const reportCommand = defineCommand({
  name: 'report',
  summary: 'make a page of a run: curves, mistakes, configuration, results',
  arguments: [{ syntax: '<run>', description: 'run folder' }],
  options: z.strictObject({
    out: z.string().optional().describe('file for the page; default: report.html in the run folder'),
    tensorboard: z.string().optional().describe('folder for an event file of TensorBoard, in place of the page'),
    serve: z.boolean().default(false).describe('a page on this machine that follows the run, until Ctrl-C'),
    port: z.int().min(0).max(65535).default(0).describe('of --serve; 0: any that is free'),
  }),
  examples: ['srrl report runs/a', 'srrl report runs/a --serve', 'srrl report runs/a --tensorboard tb/a'],
  async run({ out, tensorboard, serve, port }, [path = '']) {
    if (serve) {
      const server = await serveLive({ port, source: path });
      console.log(server.url);
      const signal = interruptSignal();
      await new Promise((done) => signal.addEventListener('abort', done, { once: true }));
      await server.close();
    } else if (tensorboard !== undefined) {
      console.log(writeTensorBoard(readRun(path), tensorboard));
    } else {
      console.log(writeReport(path, out === undefined ? {} : { out }));
    }
  },
});
