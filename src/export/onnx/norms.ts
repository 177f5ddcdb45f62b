import { type Call, float, type Rows } from './call.js';
import { reduced } from './reductions.js';

function batchNorm(call: Call) {
  if (call.bool('training')) call.refuse('it uses the statistics of the batch');
  const channels = call.size('input', 1);
  const filled = (number: number) => call.op('Expand', [call.scalar(number), call.ints(channels)]);
  const weight = call.has('weight') ? call.value('weight') : filled(1);
  const bias = call.has('bias') ? call.value('bias') : filled(0);
  const statistics = [call.value('running_mean'), call.value('running_var')];
  return call.done('BatchNormalization', [call.value('input'), weight, bias, ...statistics], {
    epsilon: float(call.number('eps')),
  });
}

function layerNorm(call: Call) {
  const sizes = call.list('normalized_shape');
  const [weight, bias] = ['weight', 'bias'].map((name) => (call.has(name) ? call.value(name) : ''));
  const scale = weight || call.op('Expand', [call.scalar(1), call.ints(...sizes)]);
  return call.done('LayerNormalization', [call.value('input'), scale, ...(bias ? [bias] : [])], {
    axis: -sizes.length,
    epsilon: float(call.number('eps')),
  });
}

/** Applies scale and shift per channel to a value of the input's rank. */
function affine(call: Call, normalized: string) {
  const shape = call.ints(-1, ...new Array<number>(call.rank('input') - 2).fill(1));
  const factor = (name: string) => call.op('Reshape', [call.value(name), shape]);
  const scaled = call.has('weight') ? call.op('Mul', [normalized, factor('weight')]) : normalized;
  if (call.has('bias')) return call.done('Add', [scaled, factor('bias')]);
  return call.done('Identity', [scaled]);
}

/** Writes a group normalization as an instance normalization with a channel per group. */
function groupNorm(call: Call) {
  const groups = call.number('num_groups');
  const normalized = plainInstanceNorm(
    call,
    call.op('Reshape', [call.value('input'), call.ints(0, groups, -1)]),
    groups,
  );
  return affine(call, call.op('Reshape', [normalized, call.op('Shape', [call.value('input')])]));
}

function plainInstanceNorm(call: Call, input: string, channels: number): string {
  const filled = (number: number) => call.op('Expand', [call.scalar(number), call.ints(channels)]);
  return call.op('InstanceNormalization', [input, filled(1), filled(0)], { epsilon: float(call.number('eps')) });
}

function instanceNorm(call: Call) {
  if (!call.bool('use_input_stats')) return batchNorm(call);
  return affine(call, plainInstanceNorm(call, call.value('input'), call.size('input', 1)));
}

function rmsNorm(call: Call) {
  const axes = call.list('normalized_shape').map((_, i, all) => i - all.length);
  const x = call.value('input');
  const mean = reduced(call, 'ReduceMean', [call.op('Mul', [x, x])], axes, true);
  const eps = call.has('eps') ? call.number('eps') : 1.1920928955078125e-7;
  const normalized = call.op('Div', [x, call.op('Sqrt', [call.op('Add', [mean, call.scalar(eps)])])]);
  return call.done(
    call.has('weight') ? 'Mul' : 'Identity',
    call.has('weight') ? [normalized, call.value('weight')] : [normalized],
  );
}

export const norms: Rows = {
  'aten::batch_norm': batchNorm,
  'aten::layer_norm': layerNorm,
  'aten::group_norm': groupNorm,
  'aten::instance_norm': instanceNorm,
  'aten::rms_norm': rmsNorm,
};
