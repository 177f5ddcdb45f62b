import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Input } from '../../src/files/input.js';
import type { Output } from '../../src/files/output.js';
import { ZipReader } from '../../src/files/zip-reader.js';
import { ZipWriter } from '../../src/files/zip-writer.js';
import { FileError, Teacher, TeacherError } from '../../src/index.js';
import { fixturePath } from '../helpers/inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-exported-'));
afterAll(() => rmSync(folder, { recursive: true }));
const source = fixturePath('exported/tied.dynamic.pt2');

// biome-ignore lint/suspicious/noExplicitAny: the content is damaged at will
type Json = any;

const input = new Input(source);
const zip = await ZipReader.open(input);
const entries = new Map<string, Buffer>();
for (const name of zip.names) entries.set(name, await zip.read(name));
input.close();
const nameOf = (end: string) => [...entries.keys()].find((name) => name.endsWith(end)) as string;

/** The file with its JSON (that whose name ends so) changed. */
function changed(end: string, change: (content: Json) => void): string {
  const chunks: Buffer[] = [];
  const output = {
    position: 0,
    write(part: Uint8Array) {
      chunks.push(Buffer.from(part));
      output.position += part.byteLength;
    },
  };
  const writer = new ZipWriter(output as unknown as Output);
  for (const [name, bytes] of entries) {
    if (name !== nameOf(end)) writer.add(name, bytes);
    else {
      const content = JSON.parse(bytes.toString());
      change(content);
      writer.add(name, Buffer.from(JSON.stringify(content)));
    }
  }
  writer.finish();
  const file = join(folder, 'changed.pt2');
  writeFileSync(file, Buffer.concat(chunks));
  return file;
}

const nodesOf = (content: Json) => content.graph_module.graph.nodes;
const target = (content: Json, name: string) => nodesOf(content).find((node: Json) => node.target.includes(name));
const inputOf = (node: Json, name: string) => node.inputs.find((input: Json) => input.name === name);
const model = (change: (content: Json) => void) => () => changed('models/model.json', change);
const weights = (change: (config: Json) => void) => () =>
  changed('model_weights_config.json', ({ config }) => change(config));

const damages: [string, () => string, RegExp][] = [
  ['another major version', model((m) => (m.schema_version.major = 7)), /version 7[\s\S]*Save it again/],
  ['no version', model((m) => delete m.schema_version), /version/],
  ['no graph', model((m) => delete m.graph_module.graph), /graph_module/],
  ['a graph of another kind', model((m) => (m.graph_module.graph.nodes = 5)), /nodes/],
  ['too many nodes', model((m) => (m.graph_module.graph.nodes = Array(100_001).fill(0))), /100001 nodes/],
  [
    'an operator that is not there',
    model((m) => (target(m, 'conv2d').target = 'torch.ops.aten.conv9d.default')),
    /conv9d.*module features\.0/,
  ],
  [
    'an overload that is not there',
    model((m) => (target(m, 'conv2d').target = 'torch.ops.aten.conv2d.wrong')),
    /conv2d\.wrong/,
  ],
  [
    'an operator that reads files',
    model((m) => (target(m, 'relu').target = 'torch.ops.aten.from_file.default')),
    /from_file/,
  ],
  ['a target that is not an operator', model((m) => (target(m, 'relu').target = 'os.system')), /os\.system/],
  ['a target of every object', model((m) => (target(m, 'relu').target = 'constructor')), /constructor/],
  ['a name before its definition', model((m) => nodesOf(m).reverse()), /before it is defined/],
  [
    'a cycle',
    model((m) => (inputOf(target(m, 'conv2d'), 'input').arg.as_tensor.name = 'linear')),
    /'linear' is used before/,
  ],
  ['a name defined twice', model((m) => nodesOf(m).push(nodesOf(m)[0])), /defined twice/],
  [
    'a result that is not there',
    model((m) => (m.graph_module.signature.output_specs[0].user_output.arg.as_tensor.name = 'x9')),
    /'x9' is used/,
  ],
  ['no result', model((m) => (m.graph_module.signature.output_specs = [])), /no tensor/],
  ['no images', model((m) => m.graph_module.signature.input_specs.pop()), /0 inputs/],
  [
    'an argument that is not there',
    model((m) => (inputOf(target(m, 'conv2d'), 'input').name = 'nothing')),
    /no argument 'nothing'/,
  ],
  ['a text for a tensor', model((m) => (inputOf(target(m, 'conv2d'), 'input').arg = { as_string: 'x' })), /conv2d/],
  ['texts for a list', model((m) => (inputOf(target(m, 'cat'), 'tensors').arg = { as_strings: ['x'] })), /as_strings/],
  ['a number for a list of tensors', model((m) => (inputOf(target(m, 'cat'), 'tensors').arg = { as_int: 1 })), /cat/],
  [
    'a list of a number and a tensor',
    model((m) => (inputOf(target(m, 'cat'), 'tensors').arg = { as_sym_ints: [{ as_int: 1 }] })),
    /cat/,
  ],
  ['an argument of two kinds', model((m) => (inputOf(target(m, 'conv2d'), 'input').arg.as_int = 1)), /one kind/],
  ['an unknown kind', model((m) => (inputOf(target(m, 'conv2d'), 'input').arg = { as_future: 1 })), /as_future/],
  ['a graph as argument', model((m) => (inputOf(target(m, 'conv2d'), 'input').arg = { as_graph: {} })), /as_graph/],
  ['a fraction for an integer', model((m) => (inputOf(target(m, 'chunk'), 'chunks').arg = { as_int: 1.5 })), /integer/],
  [
    'an integer beyond int64',
    model((m) => (inputOf(target(m, 'chunk'), 'chunks').arg = { as_int: 1e300 })),
    /too large/,
  ],
  [
    'more results than the operator has',
    model((m) => target(m, 'relu').outputs.push({ as_tensor: { name: 'extra' } })),
    /2 results/,
  ],
  [
    'a tensor as list',
    model((m) => (target(m, 'conv2d').outputs = [{ as_tensors: [{ name: 'conv2d' }] }])),
    /list of tensors/,
  ],
  ['a list as tensor', model((m) => (target(m, 'chunk').outputs = [{ as_tensor: { name: 'chunk' } }])), /chunk/],
  [
    'a parameter bound twice',
    model((m) => m.graph_module.signature.input_specs.push(m.graph_module.signature.input_specs[0])),
    /bound twice/,
  ],
  [
    'a path that leaves the module',
    model((m) => (m.graph_module.signature.input_specs[0].parameter.parameter_name = '../x')),
    /\.\.\/x/,
  ],
  ['a custom object', model((m) => m.graph_module.signature.input_specs.push({ custom_obj: {} })), /custom_obj/],
  ['a missing tensor', weights((w) => delete w['fc.weight']), /no tensor 'fc\.weight'/],
  ['a path out of the archive', weights((w) => (w['fc.weight'].path_name = '../../etc/passwd')), /path_name/],
  ['an entry that is not there', weights((w) => (w['fc.weight'].path_name = 'weight_99')), /holds no/],
  ['a pickled weight', weights((w) => (w['fc.weight'].use_pickle = true)), /'fc\.weight' is not a plain tensor/],
  ['a sparse weight', weights((w) => (w['fc.weight'].tensor_meta.layout = 1)), /'fc\.weight' is not a plain tensor/],
  ['an unknown dtype', weights((w) => (w['fc.weight'].tensor_meta.dtype = 99)), /number 99/],
  ['a size beyond the storage', weights((w) => (w['fc.weight'].tensor_meta.sizes[0].as_int = 11)), /does not fit/],
  ['a huge size', weights((w) => (w['fc.weight'].tensor_meta.sizes[0].as_int = 2 ** 52)), /does not fit/],
  [
    'a huge size without strides',
    weights((w) =>
      Object.assign(w['fc.weight'].tensor_meta, { sizes: [{ as_int: 2 ** 40 }], strides: [{ as_int: 0 }] }),
    ),
    /does not fit/,
  ],
  ['a negative size', weights((w) => (w['fc.weight'].tensor_meta.sizes[0].as_int = -1)), /sizes/],
  [
    'an offset beyond the storage',
    weights((w) => (w['fc.weight'].tensor_meta.storage_offset.as_int = 1)),
    /does not fit/,
  ],
  ['fewer strides than sizes', weights((w) => w['fc.weight'].tensor_meta.strides.pop()), /does not fit/],
  ['a symbolic size', weights((w) => (w['fc.weight'].tensor_meta.sizes[0] = { as_expr: {} })), /sizes/],
];

describe('a damaged program', () => {
  it.each(damages)('with %s is refused', async (_name, made, reason) => {
    const error = await Teacher.load(made()).catch((thrown) => thrown);
    expect(error instanceof FileError || error instanceof TeacherError).toBe(true);
    expect(error.message).toMatch(reason);
  });

  it('that is truncated anywhere is refused', async () => {
    const whole = readFileSync(source);
    for (let length = 0; length < whole.length; length += 97) {
      const file = join(folder, 'truncated.pt2');
      writeFileSync(file, whole.subarray(0, length));
      await expect(Teacher.load(file)).rejects.toThrow(/truncated\.pt2/);
    }
  });

  it('with any byte of its JSON replaced is loaded or refused, without a crash', async () => {
    const text = (entries.get(nameOf('models/model.json')) as Buffer).toString();
    let seed = 1;
    for (let i = 0; i < 60; i++) {
      seed = (seed * 48271) % 2147483647;
      const place = seed % text.length;
      const mutated = text.slice(0, place) + '0[]{}",:9-'[seed % 10] + text.slice(place + 1);
      let parsed: Json;
      try {
        parsed = JSON.parse(mutated);
      } catch {
        continue;
      }
      const file = changed('models/model.json', (content) => Object.assign(content, parsed));
      const result = await Teacher.load(file).catch((thrown) => thrown);
      expect('forward' in result || result instanceof FileError || result instanceof TeacherError).toBe(true);
    }
  });

  it('of a newer minor version is accepted', async () => {
    const file = changed('models/model.json', (content) => {
      content.schema_version.minor = 99;
      content.something_new = {};
    });
    expect((await Teacher.load(file)).classifierName).toBe('fc');
  });
});
