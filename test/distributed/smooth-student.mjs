// A small student without kinks, behind which rounding would grow from step to step; with normalization, and with
// dropout (SRRL_DROPOUT), which draws random numbers: --student module:THIS
// On rank SRRL_NAN_RANK, a statistic is NaN in the fifth forward pass of the training.
import { models } from 'srrl';
import torch, { nn } from 'srrl/torch';

/** The number of forward passes, which undoing a step does not change; on the device, where captured steps count. */
let passes;

function nanInFifthPass(statistic) {
  passes ??= torch.keep(torch.zeros([], { device: statistic.device }));
  const finite = passes.add_(1).ne(5).to('float32');
  statistic.copy_(finite.sub(finite).div(finite));
}

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
    if (process.env.SRRL_NAN_RANK !== undefined) this.registerBuffer('statistic', torch.zeros([]));
  }

  forwardFeatures(images) {
    if (this.training && process.env.SRRL_NAN_RANK === process.env.RANK)
      torch.noGrad(() => torch.scope(() => nanInFifthPass(this.statistic)));
    const first = nn.functional.silu(this.bn1.forward(this.conv1.forward(images)));
    const map = nn.functional.silu(this.bn2.forward(this.conv2.forward(first)));
    const pooled = this.dropout.forward(map.mean([2, 3]));
    return { map, pooled, logits: this.fc.forward(pooled), stages: [first, map] };
  }
}

export default (setting) => new Smooth(setting);
