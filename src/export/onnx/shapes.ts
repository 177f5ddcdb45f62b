import type { Call, Row, Rows } from './call.js';

const reshape =
  (name: string): Row =>
  (call) =>
    call.done('Reshape', [call.value('self'), call.sizes(name)]);

/** Reshapes to the shape of the result; refuses a shape in which several sizes are not constant. */
function toResult(call: Call) {
  const { shape } = call.resultInfo;
  if (shape.filter((size) => typeof size !== 'number').length <= 1) {
    const sizes = shape.map((size) => (typeof size === 'number' ? size : -1));
    return call.done('Reshape', [call.value('self'), call.ints(...sizes)]);
  }
  call.refuse('several sizes of its result depend on the number of images');
}

function permuted(call: Call, perm: number[]) {
  const rank = call.rank('self');
  return call.done('Transpose', [call.value('self')], { perm: perm.map((dim) => (dim < 0 ? dim + rank : dim)) });
}

function transpose(call: Call) {
  const perm = call.shape('self').map((_, i) => i);
  const [a, b] = [call.dim('dim0'), call.dim('dim1')];
  [perm[a], perm[b]] = [b, a];
  return permuted(call, perm);
}

function movedim(call: Call) {
  const rank = call.rank('self');
  const positive = (name: string) => call.list(name, 1).map((dim) => (dim < 0 ? dim + rank : dim));
  const [source, destination] = [positive('source'), positive('destination')];
  const others = call
    .shape('self')
    .map((_, i) => i)
    .filter((dim) => !source.includes(dim));
  const perm = Array.from({ length: rank }, (_, i) => {
    const place = destination.indexOf(i);
    return place >= 0 ? (source[place] as number) : (others.shift() as number);
  });
  return permuted(call, perm);
}

function squeeze(call: Call) {
  const rank = call.rank('self');
  const all = call.shape('self').flatMap((size, i) => (size === 1 ? [i] : []));
  const { kind } = call.operand('dim');
  const dims =
    kind === 'none'
      ? all
      : kind === 'int'
        ? [call.dim('dim')]
        : call.list('dim').map((dim) => (dim < 0 ? dim + rank : dim));
  const ones = dims.filter((dim) => call.shape('self')[dim] === 1);
  if (ones.length === 0) return call.done('Identity', [call.value('self')]);
  return call.done('Squeeze', [call.value('self'), call.ints(...ones)]);
}

/** Expands to a size. PyTorch's -1 keeps a size, for which ONNX uses 1. */
function expand(call: Call) {
  const { kind, value } = call.operand('size');
  if (kind !== 'names')
    return call.done('Expand', [
      call.value('self'),
      call.ints(...call.list('size').map((size) => (size === -1 ? 1 : size))),
    ]);
  const items = (value as (string | number)[]).map((item) => (item === -1 ? 1 : item));
  const parts = items.map((item) => (typeof item === 'string' ? item : call.ints(item)));
  return call.done('Expand', [call.value('self'), call.op('Concat', parts, { axis: 0 })]);
}

/** Reshapes to intermediate sizes, permutes, and reshapes to the result. */
const shuffled =
  (inner: (call: Call) => number[], perm: number[]): Row =>
  (call) => {
    const spread = call.op('Reshape', [call.value('self'), call.ints(...inner(call))]);
    const turned = call.op('Transpose', [spread], { perm });
    const sizes = call.resultInfo.shape.map((size) => (typeof size === 'number' ? size : -1));
    return call.done('Reshape', [turned, call.ints(...sizes)]);
  };

const chw = (call: Call): [number, number, number] => [
  call.size('self', 1),
  call.size('self', 2),
  call.size('self', 3),
];

export const shapes: Rows = {
  'aten::reshape': reshape('shape'),
  'aten::view': reshape('size'),
  'aten::_unsafe_view': reshape('size'),
  'aten::reshape_as': (call) => call.done('Reshape', [call.value('self'), call.op('Shape', [call.value('other')])]),
  'aten::view_as': (call) => call.done('Reshape', [call.value('self'), call.op('Shape', [call.value('other')])]),
  'aten::flatten': toResult,
  'aten::unflatten': toResult,
  'aten::ravel': toResult,
  'aten::unsqueeze': (call) => {
    const dim = call.number('dim');
    return call.done('Unsqueeze', [call.value('self'), call.ints(dim < 0 ? dim + call.rank('self') + 1 : dim)]);
  },
  'aten::squeeze': squeeze,
  'aten::permute': (call) => permuted(call, call.list('dims')),
  'aten::transpose': transpose,
  'aten::t': (call) => permuted(call, call.rank('self') === 2 ? [1, 0] : [0]),
  'aten::movedim': movedim,
  'aten::expand': expand,
  'aten::expand_as': (call) => call.done('Expand', [call.value('self'), call.op('Shape', [call.value('other')])]),
  'aten::repeat': (call) => call.done('Tile', [unsqueezed(call, call.list('repeats').length), call.sizes('repeats')]),
  'aten::size': (call) =>
    call.done('Gather', [call.op('Shape', [call.value('self')]), call.ints(call.dim('dim'))], { axis: 0 }),
  'aten::clone': (call) => call.done('Identity', [call.value('self')]),
  'aten::pixel_shuffle': (call) =>
    call.done('DepthToSpace', [call.value('self')], { blocksize: call.number('upscale_factor'), mode: 'CRD' }),
  'aten::pixel_unshuffle': shuffled(
    (call) => {
      const [c, h, w] = chw(call);
      const r = call.number('downscale_factor');
      return [-1, c, h / r, r, w / r, r];
    },
    [0, 1, 3, 5, 2, 4],
  ),
  'aten::channel_shuffle': shuffled(
    (call) => {
      const [c, h, w] = chw(call);
      return [-1, call.number('groups'), c / call.number('groups'), h, w];
    },
    [0, 2, 1, 3, 4],
  ),
};

/** Adds leading dimensions of size 1 up to `rank`. */
function unsqueezed(call: Call, rank: number): string {
  const missing = rank - call.rank('self');
  if (missing <= 0) return call.value('self');
  return call.op('Unsqueeze', [call.value('self'), call.ints(...Array.from({ length: missing }, (_, i) => i))]);
}
