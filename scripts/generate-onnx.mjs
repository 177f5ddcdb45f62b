// Writes src/export/onnx/schema.generated.ts from onnx.proto next to it: ONNX's schema of version 1.23.2, under the
// Apache License 2.0 (https://github.com/onnx/onnx, onnx/onnx.proto). Needed only where that file is replaced by a
// newer one. node scripts/generate-onnx.mjs
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const room = fileURLToPath(new URL('../src/export/onnx/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'srrl-onnx-'));
try {
  copyFileSync(join(room, 'onnx.proto'), join(folder, 'onnx.proto'));
  const plugin = { local: 'protoc-gen-es', out: '.', opt: 'target=ts' };
  writeFileSync(join(folder, 'buf.gen.yaml'), JSON.stringify({ version: 'v2', plugins: [plugin] }));
  const packages = ['@bufbuild/buf@1.75.0', '@bufbuild/protoc-gen-es@2.17.0'].flatMap((name) => ['-p', name]);
  const args = ['--yes', ...packages, '--', 'buf', 'generate', 'onnx.proto'];
  const { status } = spawnSync('npx', args, { cwd: folder, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  copyFileSync(join(folder, 'onnx_pb.ts'), join(room, 'schema.generated.ts'));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
