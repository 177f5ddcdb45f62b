// Writes the API reference into docs/api/: the built types go through API Extractor and API Documenter. `npm run docs`
// builds first. node scripts/docs.mjs Each entry point is a package of its own for these tools, which know one entry
// point a package.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const models = mkdtempSync(join(tmpdir(), 'srrl-docs-'));
const pages = join(root, 'docs', 'api');
const entries = { srrl: 'index', 'srrl-torch': 'torch' };

/** The tools' own TypeScript is older than the project's and does not know all of its options. */
const compilerOptions = {
  target: 'ES2022',
  lib: ['ES2023', 'ESNext.Disposable'],
  module: 'NodeNext',
  moduleResolution: 'NodeNext',
  types: ['node'],
  strict: true,
  skipLibCheck: true,
};

function extract(name, entry) {
  const configObject = {
    projectFolder: root,
    mainEntryPointFilePath: join(root, 'dist', `${entry}.d.ts`),
    compiler: { overrideTsconfig: { compilerOptions, include: ['dist'] }, skipLibCheck: true },
    apiReport: { enabled: false },
    dtsRollup: { enabled: false },
    tsdocMetadata: { enabled: false },
    docModel: { enabled: true, apiJsonFilePath: join(models, `${name}.api.json`) },
  };
  const config = ExtractorConfig.prepare({
    configObject,
    configObjectFullPath: join(root, 'scripts', 'docs.mjs'),
    packageJsonFullPath: join(root, 'package.json'),
    packageJson: { name, version },
  });
  const { succeeded } = Extractor.invoke(config, {
    localBuild: true,
    // What is public is what is exported, without tags; braces and angles in our docstrings are mathematics.
    messageCallback(message) {
      message.handled = message.category !== 'Compiler';
    },
  });
  if (!succeeded) throw new Error(`API Extractor failed on dist/${entry}.d.ts.`);
}

rmSync(pages, { recursive: true, force: true });
for (const [name, entry] of Object.entries(entries)) extract(name, entry);
const documenter = join(root, 'node_modules/@microsoft/api-documenter/bin/api-documenter');
const { status, stderr } = spawnSync(process.execPath, [documenter, 'markdown', '-i', models, '-o', pages], {
  encoding: 'utf8',
});
rmSync(models, { recursive: true });
if (status !== 0) throw new Error(`API Documenter failed: ${stderr}`);
console.log('docs/api/index.md');
