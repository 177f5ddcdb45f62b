// Teachers that are loaded, asked and freed: no memory grows with them.
import { fileURLToPath } from 'node:url';
import { Teacher } from '../../dist/index.js';
import torch from '../../dist/torch.js';
import { slopes } from './child-slopes.mjs';

const file = fileURLToPath(new URL('../../assets/shapes-teacher.pt', import.meta.url));

export default {
  count: 1000,
  promise: (count) => `${count} teachers loaded, used and freed; no memory grows`,
  async run({ count }) {
    torch.setNumThreads(1);
    const images = torch.zeros([1, 3, 32, 32]);
    const samples = [];
    for (let loaded = 1; loaded <= count; loaded++) {
      const teacher = await Teacher.load(file);
      torch.scope(() => teacher.forward(images).logits.sum().item());
      teacher.dispose();
      if (loaded % 5 !== 0) continue;
      global.gc();
      const { rss, heapUsed, external } = process.memoryUsage();
      samples.push({ at: loaded, rss, heapUsed, external, tensors: torch.memory().tensors });
    }
    return slopes(samples, 'teacher');
  },
};
