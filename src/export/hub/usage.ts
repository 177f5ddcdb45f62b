/** Usage examples for the files of a folder, in each language. */
import { isInTimm } from './config.js';
import type { HubFacts } from './facts.js';

export function usage(facts: HubFacts): string {
  const { student } = facts;
  const parts = [
    ['Python', 'pip install onnxruntime transformers pillow', 'python', python(facts)],
    ...(isInTimm(facts) ? [['timm', 'pip install timm', 'python', timm]] : []),
    ...(student.object ? [] : [['Node.js', 'npm install srrl', 'js', node]]),
    ['Browser', 'npm install onnxruntime-web', 'js', browser(facts)],
  ];
  return parts
    .map(
      ([title, install, language, code]) =>
        `### ${title}\n\n\`\`\`sh\n${install}\n\`\`\`\n\n\`\`\`${language}\n${code}\n\`\`\``,
    )
    .join('\n\n');
}

const python = ({ student }: HubFacts): string => `import json

import onnxruntime
from PIL import Image
from transformers import BitImageProcessor

config = json.load(open("config.json"))
CPU = BitImageProcessor.from_pretrained(".")
session = onnxruntime.InferenceSession("model.onnx")
image = Image.open("photo.jpg").convert("${student.inChannels === 1 ? 'L' : 'RGB'}")
images = CPU(image, return_tensors="np")["pixel_values"]
logits = session.run(None, {"images": images})[0][0]
print(config["id2label"][str(logits.argmax())])`;

const timm = `import timm
import torch

model = timm.create_model("local-dir:.", pretrained=True).eval()
images = torch.zeros(1, *model.pretrained_cfg["input_size"])  # normalized by model.pretrained_cfg
print(model(images).shape)`;

const node = `import { loadClassifier } from 'srrl';

const classify = await loadClassifier('.');
console.log(await classify('photo.jpg'));
await classify.close();`;

function browser({ student, preprocessing: { mean, std } }: HubFacts): string {
  const [channels, height, width] = student.input ?? [];
  return `import * as ort from 'onnxruntime-web';

const [channels, height, width] = [${channels}, ${height}, ${width}];
const [mean, std] = [${JSON.stringify(mean)}, ${JSON.stringify(std)}];
const session = await ort.InferenceSession.create('model.onnx');

/** pixels: ImageData of a canvas of width x height, onto which the image was drawn. */
export async function classify(pixels) {
  const images = new Float32Array(channels * height * width);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < height * width; i++)
      images[c * height * width + i] = (pixels.data[4 * i + c] / 255 - mean[c]) / std[c];
  const { logits } = await session.run({ images: new ort.Tensor('float32', images, [1, channels, height, width]) });
  return logits.data.indexOf(Math.max(...logits.data)); // the number of the class
}`;
}
