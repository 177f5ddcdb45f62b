/** Translates nodes of an exported program to calls of TorchScript operators. */
import { TeacherError } from '../../errors.js';
import type { ScriptCall, ScriptValue } from '../../native-types.js';
import type { ProgramNode } from './schema.js';
import { resultOf, scriptValue, type ValueOptions } from './values.js';

/** Arithmetic on sizes. */
const arithmetic: Record<string, string> = {
  '_operator.mul': 'aten::mul',
  '_operator.add': 'aten::add',
  '_operator.sub': 'aten::sub',
  '_operator.floordiv': 'aten::floordiv',
  '_operator.mod': 'aten::remainder',
  '_operator.truediv': 'aten::div',
  '_operator.neg': 'aten::neg',
  '_operator.eq': 'aten::eq',
  '_operator.ne': 'aten::ne',
  '_operator.lt': 'aten::lt',
  '_operator.le': 'aten::le',
  '_operator.gt': 'aten::gt',
  '_operator.ge': 'aten::ge',
  '_operator.and_': 'aten::__and__',
  '_operator.or_': 'aten::__or__',
  'math.trunc': 'aten::Int',
  'torch.sym_int': 'aten::Int',
  'torch.sym_float': 'aten::Float',
  'torch.sym_not': 'aten::__not__',
  'torch.sym_max': 'prim::max',
  'torch.sym_min': 'prim::min',
  'torch.sym_sqrt': 'aten::sqrt',
};

/** Operators on symbolic sizes, and their TorchScript forms on plain integers. */
const plainForms: Record<string, string> = {
  sym_size: 'size',
  sym_stride: 'stride',
  sym_numel: 'numel',
  sym_storage_offset: 'storage_offset',
};

/** Checks of the exporter's assumptions, which have no results. */
const checks = /^torch\.ops\.aten\.(_assert_\w+|sym_constrain_range\w*)\.\w+$/;

/**
 * Returns the call for a node; undefined for a node that only checks an assumption. Throws TeacherError for unsupported
 * operators.
 */
export function callOf(node: ProgramNode, used: Set<string>, options: ValueOptions): ScriptCall | undefined {
  if (checks.test(node.target) && node.outputs.length === 0) return undefined;
  const numbers = arithmetic[node.target];
  const [, name, overload] = node.target.match(/^torch\.ops\.aten\.(\w+)\.(\w+)$/) ?? [];
  if (!Object.hasOwn(arithmetic, node.target) && name === undefined) throw new TeacherError(unsupported(node.target));
  const inputs = node.inputs.map((input) => ({ name: input.name, value: scriptValue(input.arg, options) }));
  const outputs = node.outputs.map(resultOf);
  if (numbers !== undefined && name === undefined) return { operator: numbers, overload: null, inputs, outputs };
  const plain = Object.hasOwn(plainForms, name as string) ? plainForms[name as string] : name;
  const call = {
    operator: `aten::${plain}`,
    overload: overload === 'default' ? '' : (overload as string),
    inputs,
    outputs,
  };
  return usualForm(call, used);
}

function unsupported(target: string): string {
  const name = target.slice(0, 100);
  if (target.startsWith('torch.ops.higher_order.'))
    return `it uses the higher-order operator ${name}, which is not supported.\nExport a model without conditions, loops and autocast in its forward, or use torch.jit.trace.`;
  return `it uses ${name}, which is none of PyTorch's own (aten) operators.\nUse torch.jit.trace, or a model without it.`;
}

/**
 * Replaces the decomposed forms of normalizations and convolutions, which nothing else here supports, by the usual
 * operators with the same result.
 */
function usualForm(call: ScriptCall, used: Set<string>): ScriptCall {
  const value = (name: string): ScriptValue => call.inputs.find((input) => input.name === name)?.value ?? none;
  const is = (name: string, content: unknown) => value(name).value === content;
  const otherResults = call.outputs
    .slice(1)
    .flat()
    .some((name) => name !== null && used.has(name));
  const evaluated =
    call.operator === 'aten::_native_batch_norm_legit_no_training' || is('training', false) || is('train', false);
  if (/batch_norm/.test(call.operator) && call.operator !== 'aten::batch_norm' && evaluated && !otherResults) {
    const names = ['input', 'weight', 'bias', 'running_mean', 'running_var'];
    return made('aten::batch_norm', call, [
      ...names.map((name) => ({ name, value: value(name) })),
      { name: 'training', value: { kind: 'bool', value: false } },
      { name: 'momentum', value: some(value('momentum'), value('exponential_average_factor')) },
      { name: 'eps', value: some(value('eps'), value('epsilon')) },
      { name: 'cudnn_enabled', value: { kind: 'bool', value: true } },
    ]);
  }
  // reshape copies if necessary: a program is exported for one memory layout of images, and runs with any.
  if (call.operator === 'aten::view' && call.overload === '')
    return made('aten::reshape', call, [
      { name: 'self', value: value('self') },
      { name: 'shape', value: value('size') },
    ]);
  const steps = value('stride').value;
  if (call.operator === 'aten::convolution' && is('transposed', false) && Array.isArray(steps) && steps.length === 2) {
    const names = ['input', 'weight', 'bias', 'stride', 'padding', 'dilation', 'groups'];
    return made(
      'aten::conv2d',
      call,
      names.map((name) => ({ name, value: value(name) })),
    );
  }
  return call;
}

const none: ScriptValue = { kind: 'none', value: null };
const some = (first: ScriptValue, second: ScriptValue): ScriptValue => (first.kind === 'none' ? second : first);

function made(operator: string, { outputs }: ScriptCall, inputs: ScriptCall['inputs']): ScriptCall {
  return { operator, overload: '', inputs, outputs: outputs.slice(0, 1) };
}

/** Returns the module and source line that a node comes from, for messages. */
export function placeOf({ metadata }: ProgramNode): string {
  const stack =
    String(metadata.nn_module_stack ?? '')
      .split(';')
      .at(-1)
      ?.split(',') ?? [];
  const module = stack.at(-2) || '';
  const lines = [...String(metadata.stack_trace ?? '').matchAll(/File "([^"\n]{1,300})", line (\d+)/g)];
  const [, file, line] = lines.at(-1) ?? [];
  const parts = [module && `module ${module.slice(0, 200)}`, file && `${file}:${line}`].filter(Boolean);
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}
