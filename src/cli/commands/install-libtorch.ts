import { installLibtorch } from '../../libtorch/install.js';
import { baseVersion, locate } from '../../libtorch/locate.js';
import { pinned } from '../../native.js';
import { z } from '../../options.js';
import { Progress } from '../../report/terminal.js';
import { defineCommand } from '../command.js';

export const installLibtorchCommand = defineCommand({
  name: 'install-libtorch',
  summary: `download libtorch ${pinned.version} into this user's cache`,
  options: z.strictObject({
    cpu: z.boolean().default(false).describe('the build for the CPU (this is the default)'),
    cuda: z.string().optional().describe('the build for NVIDIA GPUs, such as cu130'),
    from: z
      .string()
      .optional()
      .describe('a libtorch zip, a torch wheel, a folder, or a URL, instead of PyTorch and pip'),
    sha256: z.string().optional().describe('checksum that the archive must have'),
    ifMissing: z.boolean().default(false).describe('do nothing if a matching libtorch is already there'),
  }),
  examples: [
    'srrl install-libtorch',
    'srrl install-libtorch --cuda cu130',
    'srrl install-libtorch --from torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl',
  ],
  async run({ cuda, from, sha256, ifMissing }) {
    if (ifMissing) {
      const { libtorch } = locate((version) => baseVersion(version) === pinned.version);
      if (libtorch) return console.log(`libtorch ${libtorch.version} is in ${libtorch.folder} (${libtorch.source})`);
    }
    let bar: { what: string; progress: Progress } | undefined;
    const finish = () => {
      bar?.progress.stop();
      bar = undefined;
    };
    const megabytes = (bytes: number) => Math.round(bytes / 1e6);
    const libtorch = await installLibtorch({
      build: cuda ?? 'cpu',
      ...(from !== undefined && { from }),
      ...(sha256 !== undefined && { sha256 }),
      say(line) {
        finish();
        console.log(line);
      },
      progress(what, done, total) {
        if (bar?.what !== what) {
          finish();
          bar = { what, progress: new Progress(megabytes(total), 'MB') };
        }
        bar.progress.update(megabytes(done), what);
      },
    });
    finish();
    console.log(`libtorch ${libtorch.version} is installed in ${libtorch.folder}`);
  },
});
