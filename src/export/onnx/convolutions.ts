import type { Call, Row, Rows } from './call.js';
import type { Attribute } from './model.js';

const inputs = (call: Call): string[] => [
  call.value('input'),
  call.value('weight'),
  ...(call.has('bias') ? [call.value('bias')] : []),
];

const twice = (padding: readonly number[]): number[] => [...padding, ...padding];

function convolution(dimensions: number): Row {
  return (call) => {
    const kernel = call.shape('weight').slice(2) as number[];
    const attributes: Record<string, Attribute> = {
      kernel_shape: kernel,
      strides: call.list('stride', dimensions),
      dilations: call.list('dilation', dimensions),
      group: call.number('groups', 1),
    };
    const { kind, value } = call.operand('padding');
    if (kind !== 'string') attributes.pads = twice(call.list('padding', dimensions));
    else if (value === 'valid') attributes.pads = new Array<number>(2 * dimensions).fill(0);
    else attributes.auto_pad = 'SAME_UPPER';
    return call.done('Conv', inputs(call), attributes);
  };
}

function transposed(dimensions: number): Row {
  return (call) =>
    call.done('ConvTranspose', inputs(call), {
      kernel_shape: call.shape('weight').slice(2) as number[],
      strides: call.list('stride', dimensions),
      pads: twice(call.list('padding', dimensions)),
      output_padding: call.list('output_padding', dimensions),
      dilations: call.list('dilation', dimensions),
      group: call.number('groups', 1),
    });
}

export const convolutions: Rows = {
  'aten::conv1d': convolution(1),
  'aten::conv2d': convolution(2),
  'aten::conv3d': convolution(3),
  'aten::conv_transpose1d': transposed(1),
  'aten::conv_transpose2d': transposed(2),
  'aten::conv_transpose3d': transposed(3),
};
