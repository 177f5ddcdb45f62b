/** Converts a {@link Graph} to a TorchScript module. */
import { ConfigError, messageOf } from '../errors.js';
import { native } from '../native.js';
import type { ScriptAttribute, ScriptCall } from '../native-types.js';
import { ScriptModule } from '../tensor/index.js';
import { type Graph, placeOf } from './graph.js';

/** Returns the network as a module with the state dict's names for parameters and buffers. Lives until dispose(). */
export function scriptOf(graph: Graph): ScriptModule {
  const [input = 'images'] = graph.inputs;
  const attributes: ScriptAttribute[] = [...graph.weights].map(([path, { tensor, kind }]) => ({
    path,
    value: path,
    tensor: tensor.handle,
    parameter: kind === 'parameter',
  }));
  const nodes: ScriptCall[] = graph.nodes.map((node) => ({
    operator: node.op,
    overload: node.overload,
    inputs: [...node.inputs],
    outputs: node.outputs.map((output) => (Array.isArray(output) ? [...output] : (output as string | null))),
    source: `${node.op}${placeOf(node)}`,
  }));
  try {
    const modules = graph.modules.map(({ path, type }) => ({ path, type: `srrl.${type}` }));
    const handle = native().scriptBuild({ modules, attributes, input, nodes, outputs: [...graph.outputs] });
    return ScriptModule.of('the exported network', handle);
  } catch (error) {
    const [, number, why] = messageOf(error).match(/^#(\d+): ([\s\S]*)$/) ?? [];
    const node = number === undefined ? undefined : graph.nodes[Number(number)];
    if (!node) throw error;
    throw new ConfigError(`${node.op}${placeOf(node)} cannot be written as TorchScript: ${why}`, { cause: error });
  }
}

/** Returns the bytes of a file for `torch.jit.load`, with `card` as its extra file `srrl.json`. */
export function scriptBytes(graph: Graph, card: string): Buffer {
  const module = scriptOf(graph);
  try {
    return native().scriptBytes(module.handle, { 'srrl.json': card });
  } finally {
    module.dispose();
  }
}
