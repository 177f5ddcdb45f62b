import type { Call, Row, Rows } from './call.js';
import type { Attribute } from './model.js';

function window(call: Call, dimensions: number): Record<string, Attribute> {
  const kernel = call.list('kernel_size', dimensions);
  const stride = call.list('stride', dimensions);
  const padding = call.list('padding', dimensions);
  return {
    kernel_shape: kernel,
    strides: stride.length > 0 ? stride : kernel,
    pads: [...padding, ...padding],
    ceil_mode: Number(call.bool('ceil_mode')),
  };
}

function maximum(dimensions: number): Row {
  return (call) =>
    call.done('MaxPool', [call.value('self')], {
      ...window(call, dimensions),
      dilations: call.list('dilation', dimensions),
    });
}

function average(dimensions: number): Row {
  return (call) => {
    if (call.has('divisor_override')) call.refuse('it has a divisor of its own');
    const includes = call.bool('count_include_pad');
    const attributes = window(call, dimensions);
    // Before opset 19, ONNX counts elements beyond the padding if the last window is rounded up.
    if (call.bool('ceil_mode') && includes && call.opset < 19)
      call.refuse('ceil_mode with count_include_pad needs --opset 19');
    return call.done('AveragePool', [call.value('self')], { ...attributes, count_include_pad: Number(includes) });
  };
}

/** Uses windows of one size, which requires that the output size divides the input size. */
function adaptive(opType: 'AveragePool' | 'MaxPool', dimensions: number): Row {
  return (call) => {
    if (call.node.outputs.flat()[1]) call.refuse('the places of the maxima are used');
    const target = call.list('output_size', dimensions);
    const sizes = target.map((_, i) => call.size('self', i - dimensions));
    if (target.every((size) => size === 1)) return call.done(`Global${opType}`, [call.value('self')]);
    if (sizes.some((size, i) => size % (target[i] as number) !== 0))
      call.refuse(`[${sizes}] is not a multiple of the output size [${target}]`);
    const kernel = sizes.map((size, i) => size / (target[i] as number));
    return call.done(opType, [call.value('self')], { kernel_shape: kernel, strides: kernel });
  };
}

export const pooling: Rows = {
  'aten::max_pool1d': maximum(1),
  'aten::max_pool2d': maximum(2),
  'aten::max_pool3d': maximum(3),
  'aten::avg_pool1d': average(1),
  'aten::avg_pool2d': average(2),
  'aten::avg_pool3d': average(3),
  'aten::adaptive_avg_pool1d': adaptive('AveragePool', 1),
  'aten::adaptive_avg_pool2d': adaptive('AveragePool', 2),
  'aten::adaptive_avg_pool3d': adaptive('AveragePool', 3),
  'aten::adaptive_max_pool1d': adaptive('MaxPool', 1),
  'aten::adaptive_max_pool2d': adaptive('MaxPool', 2),
  'aten::adaptive_max_pool3d': adaptive('MaxPool', 3),
};
