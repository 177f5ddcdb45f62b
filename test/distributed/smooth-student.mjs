// A small student without kinks, behind which rounding would grow from step to step; with normalization, and with
// dropout (SRRL_DROPOUT), which draws random numbers: --student module:THIS
import { models } from 'srrl';
import { nn } from 'srrl/torch';

class Smooth extends models.Classifier {
  featureChannels = 16;
  conv1 = new nn.Conv2d(3, 16, 3, { padding: 1, stride: 2, bias: false });
  bn1 = new nn.BatchNorm2d(16);
  conv2 = new nn.Conv2d(16, 16, 3, { padding: 1, stride: 2, bias: false });
  bn2 = new nn.BatchNorm2d(16);
  dropout = new nn.Dropout(Number(process.env.SRRL_DROPOUT ?? 0.1));
  fc;

  constructor({ numClasses }) {
    super();
    this.numClasses = numClasses;
    this.fc = new nn.Linear(16, numClasses);
  }

  forwardFeatures(images) {
    const first = nn.functional.silu(this.bn1.forward(this.conv1.forward(images)));
    const map = nn.functional.silu(this.bn2.forward(this.conv2.forward(first)));
    const pooled = this.dropout.forward(map.mean([2, 3]));
    return { map, pooled, logits: this.fc.forward(pooled), stages: [first, map] };
  }
}

export default (setting) => new Smooth(setting);
