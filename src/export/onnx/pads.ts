/** Padding and resizing. */
import { type Call, float, type Row, type Rows } from './call.js';

const modes: Record<string, string> = { constant: 'constant', reflect: 'reflect', replicate: 'edge', circular: 'wrap' };

/** PyTorch lists padding from the last dimension, before and after; ONNX lists all before, then all after. */
function padded(call: Call, mode: string) {
  const listed = call.list(call.has('pad') ? 'pad' : 'padding');
  const rank = call.rank('self');
  const at = (dim: number, after: number) => listed[2 * (rank - 1 - dim) + after] ?? 0;
  const dims = Array.from({ length: rank }, (_, i) => i);
  const pads = call.ints(...dims.map((dim) => at(dim, 0)), ...dims.map((dim) => at(dim, 1)));
  const onnxMode = modes[mode] ?? call.refuse(`the mode ${mode} is not known`);
  if (onnxMode === 'wrap' && call.opset < 19) call.refuse('circular padding needs --opset 19');
  const value = call.has('value') ? [call.value('value')] : [];
  return call.done('Pad', [call.value('self'), pads, ...(onnxMode === 'constant' ? value : [])], { mode: onnxMode });
}

/** Resizes to the known sizes; the scale that PyTorch uses may differ from their ratio. */
function resized(mode: 'nearest' | 'linear' | 'cubic', exact = false): Row {
  return (call) => {
    const x = call.value(call.operand('input').kind === 'none' ? 'self' : 'input');
    const name = call.operand('input').kind === 'none' ? 'self' : 'input';
    const spatial = call.rank(name) - 2;
    const factors = call.has('scale_factors') ? call.list('scale_factors') : [];
    const corners = call.bool('align_corners');
    const coordinates = mode === 'nearest' && !exact ? 'asymmetric' : corners ? 'align_corners' : 'half_pixel';
    const attributes = {
      mode,
      coordinate_transformation_mode: coordinates,
      ...(mode === 'nearest' && { nearest_mode: exact ? 'round_prefer_ceil' : 'floor' }),
      ...(mode === 'cubic' && { cubic_coeff_a: float(-0.75) }),
    };
    if (factors.length > 0) {
      const scales = [1, 1, ...factors];
      return call.done('Resize', [x, '', call.emitter.floats(scales)], attributes);
    }
    const target = call.resultInfo.shape.slice(-spatial) as number[];
    const shape = call.op('Shape', [x]);
    const front = call.op('Slice', [shape, call.ints(0), call.ints(2)]);
    const sizes = call.op('Concat', [front, call.ints(...target)], { axis: 0 });
    return call.done('Resize', [x, '', '', sizes], attributes);
  };
}

const fixed =
  (mode: string): Row =>
  (call) =>
    padded(call, mode);

export const pads: Rows = {
  'aten::pad': (call) => padded(call, call.string('mode')),
  'aten::constant_pad_nd': fixed('constant'),
  'aten::reflection_pad1d': fixed('reflect'),
  'aten::reflection_pad2d': fixed('reflect'),
  'aten::reflection_pad3d': fixed('reflect'),
  'aten::replication_pad1d': fixed('replicate'),
  'aten::replication_pad2d': fixed('replicate'),
  'aten::replication_pad3d': fixed('replicate'),
  'aten::upsample_nearest1d': resized('nearest'),
  'aten::upsample_nearest2d': resized('nearest'),
  'aten::upsample_nearest3d': resized('nearest'),
  'aten::_upsample_nearest_exact1d': resized('nearest', true),
  'aten::_upsample_nearest_exact2d': resized('nearest', true),
  'aten::_upsample_nearest_exact3d': resized('nearest', true),
  'aten::upsample_linear1d': resized('linear'),
  'aten::upsample_bilinear2d': resized('linear'),
  'aten::upsample_trilinear3d': resized('linear'),
  'aten::upsample_bicubic2d': resized('cubic'),
};
