/** Loads programs of torch.export as TorchScript modules. */
import { FileError, messageOf, SrrlError, TeacherError } from '../../errors.js';
import { Input } from '../../files/input.js';
import { native } from '../../native.js';
import type { ScriptAttribute, ScriptCall } from '../../native-types.js';
import { asyncScope, ScriptModule } from '../../tensor/index.js';
import { ProgramArchive } from './archive.js';
import { callOf, placeOf } from './calls.js';
import { modulesOf } from './modules.js';
import { bindings, type Program, type ProgramNode, parsed } from './schema.js';
import { tensorName, type ValueOptions } from './values.js';
import { replacedTypes, Weights } from './weights.js';

/** A program as a module, and its constant batch size; undefined if it accepts any number of images. */
export interface ExportedModule {
  module: ScriptModule;
  batch: number | undefined;
}

/**
 * Loads a file of torch.export.save as a TorchScript module: one operator per node, weights under their names. Runs no
 * code from the file. Throws FileError if the file is damaged, TeacherError if the program uses something unsupported.
 */
export async function loadExported(
  file: string,
  { device = 'cpu' }: { device?: string } = {},
): Promise<ExportedModule> {
  const input = new Input(file);
  try {
    return await asyncScope(async () => build(file, await ProgramArchive.open(input), device));
  } catch (error) {
    const Kind = error instanceof TeacherError ? TeacherError : FileError;
    if (error instanceof SrrlError && error.message.startsWith(file)) throw error;
    throw new Kind(`${file} cannot be imported: ${messageOf(error)}`, { cause: error });
  } finally {
    input.close();
  }
}

async function build(file: string, archive: ProgramArchive, device: string): Promise<ExportedModule> {
  const { graph, signature } = archive.program.graph_module;
  const replaced = replacedTypes(archive);
  const weights = new Weights(archive, replaced, device);
  const { input, tensors } = inputsOf(signature.input_specs);
  const attributes: ScriptAttribute[] = [];
  for (const [path, value] of tensors) {
    const { tensor, parameter } = await weights.read(path);
    attributes.push({ path, value, tensor: tensor.handle, parameter });
  }
  const outputs = outputsOf(signature.output_specs);
  const { calls, origins } = translated(graph.nodes, new Set(outputs), { device, replaced });
  const modules = modulesOf([...tensors.keys()], graph.nodes);
  try {
    const handle = native().scriptBuild({ modules, attributes, input, nodes: calls, outputs });
    return { module: ScriptModule.of(file, handle), batch: fixedBatch(archive.program, input) };
  } catch (error) {
    throw new TeacherError(explained(messageOf(error), origins), { cause: error });
  }
}

/** Returns the name of the images, and the module's tensors: name in the module -> name in the graph. */
function inputsOf(specs: Record<string, unknown>[]): { input: string; tensors: Map<string, string> } {
  const tensors = new Map<string, string>();
  const images: string[] = [];
  const bind = (path: string, value: string) => {
    if (tensors.has(path)) throw new FileError(`'${path}' is bound twice.`);
    tensors.set(path, value);
  };
  for (const spec of specs) {
    const [[kind, content] = ['', undefined]] = Object.entries(spec);
    if (kind === 'parameter') {
      const { parameter_name, arg } = parsed(bindings.parameter, content, kind);
      bind(parameter_name, arg.name);
    } else if (kind === 'buffer') {
      const { buffer_name, arg } = parsed(bindings.buffer, content, kind);
      bind(buffer_name, arg.name);
    } else if (kind === 'tensor_constant') {
      const { tensor_constant_name, arg } = parsed(bindings.tensor_constant, content, kind);
      bind(tensor_constant_name, arg.name);
    } else if (kind === 'user_input') {
      const { arg } = parsed(bindings.user_input, content, kind);
      images.push(tensorName(arg) ?? Object.keys(arg).join());
    } else if (kind !== 'constant_input') {
      throw new TeacherError(`it has an input of the kind ${kind.slice(0, 40)}, which is not supported.`);
    }
  }
  const [input] = images;
  if (input === undefined || images.length > 1)
    throw new TeacherError(
      `its forward takes ${images.length} inputs (${images.join(', ').slice(0, 200)}); a teacher takes images alone.`,
    );
  return { input, tensors };
}

/** Returns the names of the returned tensors, in the order of the result; dicts and dataclasses are flattened. */
function outputsOf(specs: Record<string, unknown>[]): string[] {
  return specs.flatMap((spec) => {
    const [[kind, content] = ['', undefined]] = Object.entries(spec);
    if (kind === 'user_output') return tensorName(parsed(bindings.user_output, content, kind).arg) ?? [];
    if (kind === 'buffer_mutation') {
      const { buffer_name } = parsed(bindings.buffer_mutation, content, kind);
      throw new TeacherError(
        `it changes its buffer ${buffer_name}, as a model in training mode does.\nCall model.eval() before torch.export.export and save it again.`,
      );
    }
    throw new TeacherError(`it has an output of the kind ${kind.slice(0, 40)}, which is not supported.`);
  });
}

function translated(nodes: ProgramNode[], used: Set<string>, options: ValueOptions) {
  for (const { inputs } of nodes) for (const { arg } of inputs) addNames(arg, used);
  const calls: ScriptCall[] = [];
  const origins: ProgramNode[] = [];
  for (const node of nodes) {
    try {
      const call = callOf(node, used, options);
      if (call) origins.push(node);
      if (call) calls.push(call);
    } catch (error) {
      const Kind = error instanceof TeacherError ? TeacherError : FileError;
      const [first, ...rest] = messageOf(error).split('\n');
      throw new Kind([`${node.target.slice(0, 100)}${placeOf(node)}: ${first}`, ...rest].join('\n'), { cause: error });
    }
  }
  return { calls, origins };
}

/** Adds every string in an argument, since it could be a name; strings that are not names do no harm. */
function addNames(value: unknown, names: Set<string>): void {
  const pending = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next === 'string') names.add(next);
    else if (typeof next === 'object' && next !== null) pending.push(...Object.values(next).slice(0, 10_000));
  }
}

/** Replaces the number in a native message `#12: why` by the operator and its place. */
function explained(message: string, origins: ProgramNode[]): string {
  const [, number, why] = message.match(/^#(\d+): ([\s\S]*)$/) ?? [];
  const node = number === undefined ? undefined : origins[Number(number)];
  if (!node) return message.split('\n')[0] ?? message;
  const first = (why ?? '').split('\n').filter(Boolean).slice(0, 3).join(' ');
  return `${node.target.slice(0, 100)}${placeOf(node)}: ${first}`;
}

function fixedBatch({ graph_module }: Program, input: string): number | undefined {
  const values = graph_module.graph.tensor_values;
  const [first] = (Object.hasOwn(values, input) ? values[input]?.sizes : undefined) ?? [];
  return first && 'as_int' in first && first.as_int > 0 ? (first.as_int as number) : undefined;
}
