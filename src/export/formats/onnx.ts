import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../native.js';
import { cardText } from '../card.js';
import type { Format } from '../format.js';
import { onnxGraph } from '../onnx/convert.js';
import { modelBytes } from '../onnx/model.js';
import { quantized } from '../onnx/quantize.js';
import { onnxRuntime } from '../onnx/runtime.js';
import { scriptOf } from '../torchscript.js';
import { runtimeOf } from './torchscript.js';

export const onnx: Format = {
  name: 'onnx',
  summary: 'ONNX, for onnxruntime (also in the browser), TensorRT, OpenVINO, CoreML and others',
  endings: ['.onnx'],
  takes: ['withPreprocessing', 'fold', 'half', 'int8', 'opset', 'batch'],
  write(network, path) {
    const { graph, card, options, quantization } = network;
    const { opset } = options;
    const plain = onnxGraph(graph, opset);
    const written = quantization ? quantized(plain, quantization) : plain;
    const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
    const metadata = { srrl: cardText(network) };
    writeFileSync(path, modelBytes(written, { opset, batch: card.batch, producer: version, metadata }));
  },
  async open(path, { graph }) {
    const runtime = await onnxRuntime(path);
    if (runtime) return runtime;
    return {
      ...runtimeOf(scriptOf(graph)),
      missing:
        'onnxruntime-node is not installed: libtorch ran the graph of the file instead. To run the file itself, run `npm install onnxruntime-node` and export again.',
    };
  },
};
