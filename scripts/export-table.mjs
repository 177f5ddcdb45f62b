// Exports every model of the zoo as TorchScript, .pt2 and ONNX and prints a table: differences, equal top-1, size, and
// latencies next to PyTorch's eager mode. Weights are initial, with the statistics of random images.
//   npm run build:ts && node scripts/export-table.mjs [model...]    SRRL_PYTHON adds the column of PyTorch
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportStudent, models } from '../dist/index.js';
import torch from '../dist/torch.js';

const names = process.argv.length > 2 ? process.argv.slice(2) : models.list();
const folder = mkdtempSync(join(tmpdir(), 'srrl-export-table-'));
const latencies = ({ latency }) => latency.map(({ milliseconds }) => milliseconds.toFixed(2)).join(' / ');

/**
 * PyTorch runs the TorchScript file without its optimizing executor: one operator after the other, as in eager mode.
 */
const timing = `
import sys, time, torch
torch.set_num_threads(2)
with torch.no_grad(), torch.jit.optimized_execution(False):
    model, out = torch.jit.load(sys.argv[1]).eval(), []
    for batch in (1, 32):
        images, times = torch.randn(batch, 3, int(sys.argv[2]), int(sys.argv[2])), []
        for _ in range(2): model(images)
        end = time.time() + 0.5
        while len(times) < 3 or (len(times) < 30 and time.time() < end):
            start = time.time(); model(images); times.append(1000 * (time.time() - start))
        out.append(f'{sorted(times)[len(times) // 2]:.2f}')
print(' / '.join(out))
`;

function python(file, size) {
  if (!process.env.SRRL_PYTHON) return '-';
  return spawnSync(process.env.SRRL_PYTHON, ['-c', timing, file, String(size)], { encoding: 'utf8' }).stdout.trim();
}

try {
  console.log(
    '| model | TorchScript: difference | .pt2: difference | ONNX: difference | same top-1 | MB | PyTorch without fusion, ms | libtorch, ms | onnxruntime, ms |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const name of names) {
    const size = models.modelFamilies.find((family) => family.names.includes(name))?.imageSize ?? 32;
    torch.manualSeed(0);
    const model = models.create(name, { numClasses: 100 });
    torch.noGrad(() => {
      for (let i = 0; i < 10; i++)
        torch.scope(() => model.train().forward(torch.randn([size > 64 ? 4 : 16, 3, size, size])));
    });
    const own = { model: model.eval(), image: [3, size, size] };
    const [script, program, onnx] = ['.torchscript.pt', '.pt2', '.onnx'].map((ending) =>
      join(folder, `${name}${ending}`),
    );
    const options = { images: 32 };
    const a = (await exportStudent(own, script, options)).verification;
    const p = (await exportStudent(own, program, options)).verification;
    const { verification: b, bytes } = await exportStudent(own, onnx, options);
    const eager = python(script, size);
    const same = `${(100 * Math.min(a.sameTop1, p.sameTop1, b.sameTop1)).toFixed(0)} %`;
    const differences = [a, p, b].map(({ maxDifference }) => maxDifference.toExponential(1));
    const row = [name, ...differences, same, (bytes / 1e6).toFixed(2), eager, latencies(a), latencies(b)];
    console.log(`| ${row.join(' | ')} |`);
    model.dispose();
    rmSync(script);
    for (const file of [program, onnx]) rmSync(file);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
