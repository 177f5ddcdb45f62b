/** The archive around a program: a zip of stored entries, which `torch.export.load` reads. */
import { bytesOf } from '../../files/bytes.js';
import { writeAtomically } from '../../files/output.js';
import { Tuple } from '../../files/pickle/writer.js';
import { pthBytes } from '../../files/pth-save.js';
import { ZipWriter } from '../../files/zip-writer.js';
import { native } from '../../native.js';
import { noGrad, scope, type Tensor, functions as torch } from '../../tensor/index.js';
import type { Graph, ValueInfo, Weight } from '../graph.js';
import { json } from './json.js';
import { exampleBatch, programOf, tensorMeta } from './program.js';

/** Writes the file, with `card` as its extra file `srrl.json`. */
export function writeProgram(file: string, graph: Graph, card: string): void {
  const program = json(programOf(graph));
  writeAtomically(file, (output) => {
    const zip = new ZipWriter(output);
    const add = (name: string, content: Uint8Array | string) => zip.add(`student/${name}`, Buffer.from(content));
    add('archive_format', 'pt2');
    add('archive_version', '0');
    add('byteorder', 'little');
    add('.data/version', '6\n');
    add('models/model.json', program);
    const held = [...graph.weights];
    addTensors(
      add,
      'weights',
      'weight',
      held.filter(([, { kind }]) => kind !== 'constant'),
    );
    addTensors(
      add,
      'constants',
      'tensor',
      held.filter(([, { kind }]) => kind === 'constant'),
    );
    add('data/sample_inputs/model.pt', exampleInputs(graph));
    add('extra/srrl.json', card);
    zip.finish();
  });
}

type Add = (name: string, content: Uint8Array | string) => void;

/** Adds one entry per tensor, in row-major order; identical tensors share an entry. */
function addTensors(add: Add, folder: string, prefix: string, weights: [string, Weight][]): void {
  const stored: { tensor: Tensor; path: string }[] = [];
  const entries = weights.map(([name, { tensor, kind }]) => {
    let path = stored.find((other) => isSame(other.tensor, tensor))?.path;
    if (path === undefined) {
      path = `${prefix}_${stored.length}`;
      stored.push({ tensor, path });
      add(
        `data/${folder}/${path}`,
        noGrad(() => scope(() => bytesOf(tensor.detach().contiguous()))),
      );
    }
    const isParameter = kind === 'parameter';
    const meta = tensorMeta(tensor, isParameter);
    return [name, { path_name: path, is_param: isParameter, use_pickle: false, tensor_meta: meta }];
  });
  add(`data/${folder}/model_${folder}_config.json`, json({ config: Object.fromEntries(entries) }));
}

const isSame = (a: Tensor, b: Tensor): boolean =>
  native().sameStorage(a.handle, b.handle) &&
  a.dtype === b.dtype &&
  a.storageOffset() === b.storageOffset() &&
  a.shape.join() === b.shape.join() &&
  a.strides.join() === b.strides.join();

/** Returns the arguments of an example call, with which Python checks and compiles the program. */
function exampleInputs({ inputs, values }: Graph): Buffer {
  return scope(() => {
    const images = inputs.map((name) => {
      const { shape, dtype } = values.get(name) as ValueInfo;
      return torch.zeros(
        shape.map((size) => (typeof size === 'number' ? size : exampleBatch)),
        { dtype },
      );
    });
    return pthBytes(Tuple.of<unknown>(Tuple.from(images), {}));
  });
}
