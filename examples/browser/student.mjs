/** A folder that `srrl export RUN --out student/` wrote, run by onnxruntime-web. */
import * as ort from 'onnxruntime-web';
import { pixelsOf } from './pixels.mjs';

ort.env.wasm.wasmPaths = { wasm: new URL('ort/ort-wasm-simd-threaded.wasm', import.meta.url).href };

async function json(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: ${response.status} ${response.statusText}`);
  return response.json();
}

/** Loads config.json, preprocessor_config.json and model.onnx below `folder`, a URL that ends in a slash. */
export async function loadStudent(folder) {
  const [config, preprocessing] = await Promise.all(
    ['config.json', 'preprocessor_config.json'].map((name) => json(new URL(name, folder))),
  );
  const session = await ort.InferenceSession.create(new URL('model.onnx', folder).href);
  return {
    architecture: config.architecture,
    classes: config.label_names,
    /** All classes of an image (a File or Blob), the likeliest first. */
    async classify(file) {
      const image = inputOf(await pixelsOf(file, preprocessing), preprocessing);
      const { logits } = await session.run({ images: image });
      return softmax(logits.data)
        .map((probability, index) => ({ label: config.label_names[index], index, probability }))
        .sort((a, b) => b.probability - a.probability);
    },
  };
}

/** Normalized float32 [1, C, H, W] of RGBA pixels; a student of gray images gets Rec. 601 luma. */
function inputOf(pixels, { image_mean: mean, image_std: std, crop_size: { height, width } }) {
  const channels = mean.length;
  const input = new Float32Array(channels * height * width);
  for (let i = 0; i < height * width; i++) {
    const [r, g, b] = pixels.subarray(4 * i, 4 * i + 3);
    const values = channels === 1 ? [Math.round(0.299 * r + 0.587 * g + 0.114 * b)] : [r, g, b];
    for (let c = 0; c < channels; c++) input[c * height * width + i] = (values[c] / 255 - mean[c]) / std[c];
  }
  return new ort.Tensor('float32', input, [1, channels, height, width]);
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
