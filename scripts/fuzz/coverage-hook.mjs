// Module hooks of the fuzzer of files: test/ is TypeScript and imports dist/ instead of src/, and the code that parses
// counts its statements and branches, so that the fuzzer sees which bytes reach something new.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { createInstrumenter } from 'istanbul-lib-instrument';

const parses =
  /\/dist\/(data|files|distill|report|analysis|cli|train)\/|\/dist\/(zip-check|strict-\w+|expectation|options)\.js$/;
const instrumenter = createInstrumenter({ esModules: true, compact: true, produceSourceMap: false });

export function resolve(specifier, context, next) {
  if (!specifier.startsWith('.') || !/\/test\/\w+\/[\w-]+\.ts$/.test(context.parentURL ?? ''))
    return next(specifier, context);
  const url = new URL(specifier, context.parentURL).href;
  const own = url.includes('/src/') ? url.replace('/src/', '/dist/') : url.replace(/\.js$/, '.ts');
  return next(own, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:')) return next(url, context);
  const path = fileURLToPath(url);
  if (path.endsWith('.ts')) {
    const { code } = await transform(await readFile(path, 'utf8'), { loader: 'ts', format: 'esm' });
    return { format: 'module', source: code, shortCircuit: true };
  }
  if (!parses.test(path)) return next(url, context);
  const source = instrumenter.instrumentSync(await readFile(path, 'utf8'), path);
  return { format: 'module', source, shortCircuit: true };
}
