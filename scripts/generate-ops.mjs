// Writes src/tensor/ops.generated.ts: the types of all `aten` operators, from the schemas of the libtorch that is
// found. npm run generate             writes the file npm run generate -- --check  exits with 1 where the file is not
// what would be written
import { readFileSync, writeFileSync } from 'node:fs';
import { native } from '../dist/native.js';
import { parameterOf } from '../dist/tensor/arguments.js';
import { handwritten } from '../dist/tensor/extras.js';
import { camelCase } from '../dist/tensor/names.js';
import { methodNames as generatedBefore } from '../dist/tensor/ops.generated.js';
import { Tensor } from '../dist/tensor/tensor.js';

const file = new URL('../src/tensor/ops.generated.ts', import.meta.url);
const types = {
  Tensor: 'Tensor',
  int: 'Int',
  float: 'number | Float',
  bool: 'boolean',
  Scalar: 'Scalar',
  str: 'string',
  ScalarType: 'DType',
  Layout: 'Layout',
  MemoryFormat: 'MemoryFormat',
  Device: 'string',
  Generator: 'Generator',
};
const resultTypes = { ...types, int: 'number', float: 'number', Scalar: 'ScalarValue' };

const group = (type) => (type.includes('|') ? `(${type})` : type);

function typeOf({ kind, list, size, optional, elementOptional }) {
  let type = types[kind];
  if (list && kind === 'Tensor')
    type = elementOptional ? 'readonly (Tensor | null)[]' : 'readonly Tensor[] | TensorList';
  else if (list && kind === 'int') type = size ? 'IntSpread' : 'IntList';
  else if (list) type = `readonly ${group(type)}[]${size ? ` | ${type}` : ''}`;
  return optional ? `${type} | null` : type;
}

function resultOf(results, inPlace) {
  const one = ({ type }) => {
    const [, kind, list, optional] = type.match(/^(\w+)(\[\])?(\?)?$/) ?? [];
    return (resultTypes[kind] ?? 'unknown') + (list ?? '') + (optional ? ' | null' : '');
  };
  if (results.length === 0) return 'void';
  if (results.length === 1) return inPlace ? 'Tensor' : one(results[0]);
  const tuple = `[${results.map(one).join(', ')}]`;
  const named = results.filter(({ name }) => name && !name.startsWith('out'));
  if (named.length !== results.length) return tuple;
  return `${tuple} & { ${results.map((result) => `readonly ${camelCase(result.name)}: ${one(result)}`).join('; ')} }`;
}

const reserved = new Set([
  'default',
  'in',
  'function',
  'var',
  'new',
  'this',
  'with',
  'delete',
  'import',
  'export',
  'class',
  'typeof',
]);
const nameOf = (key) => (reserved.has(key) ? `${key}_` : key);
const positionalText = (parameter, optional) => `${nameOf(parameter.key)}${optional ? '?' : ''}: ${typeOf(parameter)}`;

function optionsText(parameters, factory) {
  if (parameters.length === 0) return [];
  const members = parameters.map(
    (parameter) => `${parameter.key}${parameter.hasDefault ? '?' : ''}: ${typeOf(parameter)}`,
  );
  if (factory) members.push('requiresGrad?: boolean');
  return [`options${parameters.every((parameter) => parameter.hasDefault) ? '?' : ''}: { ${members.join('; ')} }`];
}

// All ways to divide the positional parameters with defaults between positions and options.
function signatures(parameters, result, method) {
  const own = method ? parameters.slice(1) : parameters;
  const positional = own.filter((parameter) => !parameter.keywordOnly);
  const keywords = own.filter((parameter) => parameter.keywordOnly);
  const required = positional.filter((parameter) => !parameter.hasDefault).length;
  const ordered = positional.slice(0, required).every((parameter) => !parameter.hasDefault);
  const splits = new Set([positional.length]);
  if (ordered) for (let split = required; split < positional.length; split++) splits.add(split);
  const factory = keywords.some(({ key }) => key === 'pinMemory') && result === 'Tensor';
  const texts = [...splits].map((split) => {
    const last = split === positional.length;
    const head = positional
      .slice(0, split)
      .map((parameter, i) => positionalText(parameter, last && keywords.length === 0 && ordered && i >= required));
    return `(${[...head, ...optionsText([...positional.slice(split), ...keywords], factory)].join(', ')}): ${result}`;
  });
  const final = positional.at(-1);
  if (final?.list && final.kind === 'int' && final.size === 0 && positional.length === 1) {
    texts.push(`(...${nameOf(final.key)}: number[]): ${result}`);
  }
  return texts;
}

const families = new Map();
for (const full of native()
  .operatorNames()
  .filter((name) => name.startsWith('aten::'))
  .sort()) {
  const [base, overload = ''] = full.slice(6).split('.');
  const schema = native().schema(native().resolve(`aten::${base}`, overload));
  const parameters = schema.arguments.map(parameterOf);
  if (parameters.some((parameter) => parameter.kind === 'unsupported')) continue;
  if (!families.has(base)) families.set(base, []);
  families.get(base).push({ schema, parameters, out: parameters.some((parameter) => parameter.out) });
}

const camels = new Map();
for (const base of families.keys()) {
  const camel = camelCase(base);
  if (camels.has(camel)) throw new Error(`${base} and ${camels.get(camel)} have one name in camelCase`);
  camels.set(camel, base);
}

const before = new Set(generatedBefore.map(camelCase));
const ownMembers = new Set([
  ...handwritten,
  ...Object.getOwnPropertyNames(Tensor.prototype).filter((name) => !before.has(name)),
]);
const isMethod = (overload) =>
  overload.parameters[0]?.key === 'self' && overload.parameters[0].type === 'Tensor' && !overload.out;
const functionLines = [];
const methodLines = [];
const methodNames = [];
for (const [base, overloads] of [...families].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const camel = camelCase(base);
  const doc = base.startsWith('_')
    ? `aten::${base}`
    : `aten::${base}, https://pytorch.org/docs/stable/generated/torch.${base}.html`;
  const members = (chosen, method) =>
    [
      ...new Set(
        chosen.flatMap(({ schema, parameters }) => {
          const inPlace = parameters.some((parameter) => parameter.written) && schema.results.length === 1;
          return signatures(parameters, resultOf(schema.results, inPlace), method);
        }),
      ),
    ].map((text) => `  ${camel}${text};`);
  functionLines.push(`  /** ${doc} */`, ...members(overloads, false));
  const methods = overloads.filter(isMethod);
  if (methods.length === 0 || ownMembers.has(camel)) continue;
  methodNames.push(base);
  methodLines.push(`  /** ${doc} */`, ...members(methods, true));
}

const text = `// Written by scripts/generate-ops.mjs from the operator schemas of libtorch ${native().libtorchVersion}. Do not edit.
import type { DType, Layout, MemoryFormat } from './dtype.js';
import type { Generator } from './generator.js';
import type { Tensor } from './tensor.js';
import type { TensorList } from './tensor-list.js';
import type { Float, Int, IntList, IntSpread, Scalar, ScalarValue } from './types.js';

/** Names of the operators, in libtorch's snake case. */
export const functionNames: readonly string[] = ${JSON.stringify([...families.keys()].sort().join(' '))}.split(' ');

/** Names of those that are methods. */
export const methodNames: readonly string[] = ${JSON.stringify(methodNames.join(' '))}.split(' ');

/** Every \`aten\` operator as a function. */
export interface TorchFunctions {
${functionLines.join('\n')}
}

/** The operators whose first argument is \`self\`, as methods. */
export interface TensorMethods {
${methodLines.join('\n')}
}
`;

if (process.argv.includes('--check')) {
  const same = readFileSync(file, 'utf8') === text;
  if (!same) console.error('src/tensor/ops.generated.ts is stale: run `npm run generate`.');
  process.exitCode = same ? 0 : 1;
} else {
  writeFileSync(file, text);
  console.log(`${families.size} operators, ${methodNames.length} methods, ${text.length} characters`);
}
