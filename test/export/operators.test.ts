/**
 * Every operator that is written as ONNX, run by onnxruntime next to libtorch, for another batch than it was traced
 * with.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { onnxGraph, rows } from '../../src/export/onnx/convert.js';
import { modelBytes } from '../../src/export/onnx/model.js';
import { onnxRuntime } from '../../src/export/onnx/runtime.js';
import { traceGraph } from '../../src/export/trace.js';
import { assertClose } from '../../src/testing.js';
import torch, { nn, type Tensor } from '../../src/torch.js';

const F = nn.functional;
const folder = mkdtempSync(join(tmpdir(), 'srrl-operators-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

class Operator extends nn.Module {
  constructor(private readonly compute: (x: Tensor) => Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.compute(x);
  }
}

const layer = (module: nn.Module) => {
  const made = module.eval() as nn.Layer;
  return Object.assign(new Operator((x) => made.forward(x)), { made });
};
/** A module, and what is done with it. */
const using = <M extends nn.Module>(module: M, compute: (x: Tensor, module: M) => Tensor) =>
  Object.assign(new Operator((x) => compute(x, module)), { made: module });
const of = (compute: (x: Tensor) => Tensor) => new Operator(compute);
torch.manualSeed(1);
const positive = (x: Tensor) => x.abs().add(0.5);
const twos = torch.full([8], 2, { dtype: 'float32' });
const squares = torch.randn([5, 6]);
const mask = torch.randn([6, 6]).gt(0).logicalOr(torch.eye(6).gt(0));

/** Images [N, 4, 6, 6]; results of any shape. */
const cases: Record<string, nn.Module> = {
  relu: of((x) => torch.relu(x)),
  'relu in place': of((x) => x.clone().relu_()),
  relu6: of((x) => torch.relu6(x.mul(4))),
  sigmoid: of((x) => x.sigmoid()),
  tanh: of((x) => x.tanh()),
  hardtanh: of((x) => torch.hardtanh(x, -0.5, 0.7)),
  hardswish: of((x) => torch.hardswish(x.mul(3))),
  hardsigmoid: of((x) => torch.hardsigmoid(x.mul(3))),
  silu: of((x) => F.silu(x)),
  mish: of((x) => torch.mish(x)),
  gelu: of((x) => F.gelu(x)),
  'gelu tanh': of((x) => F.gelu(x, { approximate: 'tanh' })),
  leaky_relu: of((x) => torch.leakyRelu(x, 0.2)),
  elu: of((x) => torch.elu(x, 0.7)),
  selu: of((x) => torch.selu(x)),
  celu: of((x) => torch.celu(x, 0.6)),
  softplus: of((x) => torch.softplus(x.mul(20), 2, 10)),
  log_sigmoid: of((x) => torch.logSigmoid(x)),
  prelu: layer(new nn.PReLU({ numParameters: 4 })),
  threshold: of((x) => torch.threshold(x, 0.1, -3)),
  hardshrink: of((x) => torch.hardshrink(x, 0.4)),
  softshrink: of((x) => torch.softshrink(x, 0.4)),
  glu: of((x) => torch.glu(x, 1)),
  softmax: of((x) => x.softmax(-1)),
  log_softmax: of((x) => x.logSoftmax(1)),
  add: of((x) => x.add(x.sin(), { alpha: 2 })),
  'add a number': of((x) => x.add(1.5)),
  'add an integer tensor': of((x) => x.add(x.gt(0).to('int64'))),
  sub: of((x) => x.sub(0.25).sub(x.cos())),
  rsub: of((x) => torch.rsub(x, x.sin())),
  mul: of((x) => x.mul(x.exp()).mul(3)),
  div: of((x) => x.div(positive(x))),
  'div by the number of images': of((x) => x.div(x.shape[0] as number)),
  'div floor': of((x) => x.div(0.3, { roundingMode: 'floor' })),
  floor_divide: of((x) => x.floorDivide(0.37)),
  remainder: of((x) => x.remainder(0.7)),
  fmod: of((x) => x.fmod(0.7)),
  pow: of((x) => positive(x).pow(1.7)),
  'pow of tensors': of((x) => positive(x).pow(x)),
  square: of((x) => x.square()),
  maximum: of((x) => torch.maximum(x, x.sin().mul(2))),
  minimum: of((x) => torch.minimum(x, x.cos())),
  clamp: of((x) => x.clamp({ min: -0.3, max: 0.4 })),
  clamp_min: of((x) => x.clampMin(0.1)),
  clamp_max: of((x) => x.clampMax(0.1)),
  addcmul: of((x) => torch.addcmul(x, x.sin(), x.cos(), { value: 0.5 })),
  addcdiv: of((x) => torch.addcdiv(x, x.sin(), positive(x), { value: 0.5 })),
  lerp: of((x) => torch.lerp(x, x.sin(), 0.3)),
  neg: of((x) => x.neg()),
  abs: of((x) => x.abs()),
  exp: of((x) => x.exp()),
  expm1: of((x) => x.expm1()),
  log: of((x) => positive(x).log()),
  log1p: of((x) => positive(x).log1p()),
  log2: of((x) => positive(x).log2()),
  log10: of((x) => positive(x).log10()),
  sqrt: of((x) => positive(x).sqrt()),
  rsqrt: of((x) => positive(x).rsqrt()),
  reciprocal: of((x) => positive(x).reciprocal()),
  trigonometry: of((x) => x.sin().add(x.cos()).add(x.tanh().asin()).add(x.tanh().acos()).add(x.atan())),
  hyperbolic: of((x) => x.sinh().add(x.cosh()).add(x.tanh().mul(0.5).tan())),
  erf: of((x) => x.erf()),
  sign: of((x) => x.sign()),
  floor: of((x) => x.mul(3).floor()),
  ceil: of((x) => x.mul(3).ceil()),
  round: of((x) => x.mul(3).round()),
  trunc: of((x) => x.mul(3).trunc()),
  comparisons: of((x) => torch.where(x.gt(0).logicalAnd(x.lt(0.5)).logicalOr(x.le(-1)), x, x.mul(2))),
  equality: of((x) => x.ge(0).eq(x.gt(0.5)).logicalNot().to('float32').add(x.ne(0).to('float32'))),
  logical_xor: of((x) => x.gt(0).logicalXor(x.gt(0.5)).to('float32')),
  bitwise: of((x) => x.gt(0).bitwiseAnd(x.lt(1)).bitwiseOr(x.gt(2)).bitwiseNot().to('float32')),
  isnan: of((x) => x.log().isnan().to('float32')),
  masked_fill: of((x) => x.maskedFill(x.gt(0.5), -2)),
  conv2d: layer(new nn.Conv2d(4, 6, 3, { stride: 2, padding: 1, dilation: 2, groups: 2 })),
  'conv2d same': layer(new nn.Conv2d(4, 6, 3, { padding: 'same' })),
  'conv2d valid': layer(new nn.Conv2d(4, 6, 3, { padding: 'valid', bias: false })),
  'conv2d reflect': layer(new nn.Conv2d(4, 6, 3, { padding: 1, paddingMode: 'reflect' })),
  conv1d: using(new nn.Conv1d(4, 5, 3, { padding: 1 }), (x, conv) => conv.forward(x.flatten(2))),
  conv3d: using(new nn.Conv3d(4, 5, [1, 3, 3]), (x, conv) => conv.forward(x.unsqueeze(2))),
  conv_transpose2d: layer(new nn.ConvTranspose2d(4, 6, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2 })),
  batch_norm: layer(new nn.BatchNorm2d(4)),
  'batch_norm without weights': layer(new nn.BatchNorm2d(4, { affine: false })),
  layer_norm: layer(new nn.LayerNorm([6, 6])),
  'layer_norm without weights': of((x) => F.layerNorm(x, [6])),
  group_norm: layer(new nn.GroupNorm(2, 4)),
  instance_norm: layer(new nn.InstanceNorm2d(4, { affine: true })),
  rms_norm: of((x) => torch.rmsNorm(x, [6], twos.narrow(0, 0, 6), 1e-5)),
  normalize: of((x) => F.normalize(x)),
  max_pool2d: layer(new nn.MaxPool2d(3, { stride: 2, padding: 1, ceilMode: true })),
  avg_pool2d: layer(new nn.AvgPool2d(3, { stride: 2, padding: 1 })),
  'avg_pool2d without padding': layer(new nn.AvgPool2d(3, { stride: 2, padding: 1, countIncludePad: false })),
  adaptive_avg_pool2d: layer(new nn.AdaptiveAvgPool2d(1)),
  'adaptive_avg_pool2d of two': layer(new nn.AdaptiveAvgPool2d(2)),
  adaptive_max_pool2d: layer(new nn.AdaptiveMaxPool2d(1)),
  linear: using(new nn.Linear(6, 5), (x, linear) => linear.forward(x)),
  'linear of rows': using(new nn.Linear(144, 5), (x, linear) => linear.forward(x.flatten(1))),
  matmul: of((x) => x.matmul(squares.t())),
  bmm: of((x) => x.flatten(0, 1).bmm(x.flatten(0, 1).transpose(1, 2))),
  mm: of((x) => x.flatten(0, 2).mm(squares.t())),
  addmm: of((x) => torch.addmm(twos.narrow(0, 0, 5), x.flatten(0, 2), squares.t(), { beta: 2, alpha: 0.5 })),
  baddbmm: of((x) => torch.baddbmm(x.flatten(0, 1), x.flatten(0, 1), x.flatten(0, 1), { beta: 0.5, alpha: 2 })),
  einsum: of((x) => torch.einsum('nchw,kw->nckh', [x, squares])),
  attention: of((x) => F.scaledDotProductAttention(x, x.sin(), x.cos())),
  'causal attention': of((x) => F.scaledDotProductAttention(x, x.sin(), x.cos(), { isCausal: true })),
  'masked attention': of((x) => F.scaledDotProductAttention(x, x, x, { attnMask: mask })),
  'multi-head attention': using(
    new nn.MultiheadAttention(36, 4, { batchFirst: true }).eval(),
    (x, attention) => attention.forward(x.flatten(2), x.flatten(2), x.flatten(2))[0],
  ),
  mean: of((x) => x.mean([2, 3])),
  'mean of all': of((x) => x.mean().reshape([1])),
  sum: of((x) => x.sum([1], true)),
  prod: of((x) => x.prod(1)),
  amax: of((x) => x.amax([2, 3], true)),
  amin: of((x) => x.amin([1])),
  max: of((x) => (x.max(1) as unknown as [Tensor, Tensor])[0]),
  'places of max': of((x) => (x.max(2) as unknown as [Tensor, Tensor])[1].to('float32')),
  argmax: of((x) => x.argmax(1).to('float32')),
  argmin: of((x) => x.argmin(1, true).to('float32')),
  logsumexp: of((x) => x.logsumexp([1])),
  var: of((x) => torch.var(x, [2, 3])),
  std: of((x) => torch.std(x, [1])),
  norm: of((x) => torch.linalgVectorNorm(x, 3, [1])),
  'norm of order 1': of((x) => torch.linalgVectorNorm(x, 1, [1], true)),
  cumsum: of((x) => x.cumsum(2)),
  'pad constant': of((x) => F.pad(x, [1, 2, 0, 1], { value: 0.5 })),
  'pad reflect': of((x) => F.pad(x, [1, 2, 2, 1], { mode: 'reflect' })),
  'pad replicate': of((x) => F.pad(x, [1, 2, 2, 1], { mode: 'replicate' })),
  'upsample nearest': of((x) => F.interpolate(x, { scaleFactor: 2 })),
  'upsample nearest-exact': of((x) => F.interpolate(x, { size: [9, 4], mode: 'nearest-exact' })),
  'upsample bilinear': of((x) => F.interpolate(x, { size: [9, 4], mode: 'bilinear' })),
  'upsample bilinear corners': of((x) => F.interpolate(x, { scaleFactor: 1.5, mode: 'bilinear', alignCorners: true })),
  'upsample bicubic': of((x) => F.interpolate(x, { scaleFactor: 2, mode: 'bicubic' })),
  reshape: of((x) => x.reshape([x.shape[0] as number, 2, -1])),
  'reshape to a multiple of the batch': of((x) => x.reshape([2 * (x.shape[0] as number), 2, 6, 6])),
  view: of((x) => x.view([-1, 144])),
  flatten: of((x) => x.flatten(1)),
  unflatten: of((x) => torch.unflatten(x, 1, [2, 2])),
  unsqueeze: of((x) => x.unsqueeze(-1)),
  squeeze: of((x) => x.mean([2], true).squeeze(2)),
  permute: of((x) => x.permute([0, 2, 3, -3])),
  transpose: of((x) => x.transpose(1, -1)),
  movedim: of((x) => torch.movedim(x, [1], [-1])),
  expand: of((x) =>
    torch
      .ones([1, 4, 1, 1])
      .expand([x.shape[0] as number, -1, 6, 6])
      .add(x),
  ),
  expand_as: of((x) => x.narrow(1, 0, 1).expandAs(x)),
  repeat: of((x) => x.repeat([1, 2, 1, 1])),
  cat: of((x) => torch.cat([x, x.sin()], -3)),
  stack: of((x) => torch.stack([x, x.sin()], 1)),
  chunk: of((x) => torch.cat([...x.chunk(3, 3)].reverse(), 3)),
  split: of((x) => torch.cat([...x.split(4, 2)].reverse(), 2)),
  split_with_sizes: of((x) => x.splitWithSizes([1, 3], 1)[1] as Tensor),
  unbind: of((x) => torch.stack([...x.unbind(1)].reverse())),
  select: of((x) => x.select(1, -1)),
  slice: of((x) => x.slice(2, 1, 6, 2)),
  narrow: of((x) => x.narrow(3, 2, 3)),
  index_select: of((x) => x.indexSelect(1, torch.tensor([2, 0, 2]))),
  gather: of((x) => x.gather(1, x.argmax(1, true))),
  flip: of((x) => x.flip([1, 3])),
  roll: of((x) => x.roll([1, -2], [2, 3])),
  tril: of((x) => x.tril(1)),
  triu: of((x) => x.triu()),
  pixel_shuffle: of((x) => torch.pixelShuffle(x, 2)),
  pixel_unshuffle: of((x) => torch.pixelUnshuffle(x, 3)),
  channel_shuffle: of((x) => torch.channelShuffle(x, 2)),
  'tensors of zeros and ones': of((x) =>
    x
      .add(torch.zeros([x.shape[0] as number, 1, 1, 1]))
      .add(torch.ones([6]))
      .add(torch.full([6], 0.5)),
  ),
  zeros_like: of((x) => torch.zerosLike(x).add(torch.onesLike(x)).add(torch.fullLike(x, 3))),
  arange: of((x) => x.add(torch.arange(6, { dtype: 'float32' }))),
  'a constant tensor': of((x) => x.matmul(squares.narrow(0, 0, 3).t())),
};

const seen = new Set<string>();

async function runOnnx(name: string, module: nn.Module, opset: number, images: Tensor): Promise<Tensor> {
  const graph = traceGraph(module, [4, 6, 6]);
  for (const { op } of graph.nodes) seen.add(op);
  const file = join(folder, `${name.replace(/\W/g, '_')}-${opset}.onnx`);
  writeFileSync(file, modelBytes(onnxGraph(graph, opset), { opset, batch: 'dynamic', producer: 'test', metadata: {} }));
  const runtime = await onnxRuntime(file);
  if (!runtime) throw new Error('onnxruntime-node is a development dependency');
  const output = await runtime.run(images);
  await runtime.dispose();
  return output;
}

describe.each([17, 21])('opset %i', (opset) => {
  it.each(Object.entries(cases))('%s', async (name, module) => {
    const images = torch.randn([5, 4, 6, 6]);
    const expected = torch.noGrad(() => (module.eval() as nn.Layer).forward(images));
    const output = await runOnnx(name, module, opset, images);
    assertClose(output, expected.to('float32'), { rtol: 1e-4, atol: 2e-5, equalNan: true });
  });
});

it('circular padding needs a newer version', async () => {
  const module = of((x) => F.pad(x, [1, 2, 2, 1], { mode: 'circular' }));
  const images = torch.randn([5, 4, 6, 6]);
  await expect(runOnnx('circular', module, 17, images)).rejects.toThrow(/needs --opset 19/);
  assertClose(await runOnnx('circular', module, 19, images), (module as nn.Layer).forward(images));
});

it('most rows are covered', () => {
  const missing = Object.keys(rows).filter((op) => !seen.has(op));
  expect(missing.length).toBeLessThan(0.3 * Object.keys(rows).length);
});
