import type { Features } from '../flow.js';
import {
  Conv2d,
  functional as F,
  GELU,
  Identity,
  init,
  LayerNorm,
  Linear,
  Module,
  Parameter,
  type Sequential,
} from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Chain, outputsAfter, StochasticDepth } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const eps = 1e-6;
const layerScale = 1e-6;

/** Layer normalization over the channels of a map [N, C, H, W]. */
class LayerNorm2d extends LayerNorm {
  override forward(x: Tensor): Tensor {
    return super.forward(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
  }
}

class ToChannelsLast extends Identity {
  override forward(x: Tensor): Tensor {
    return x.permute([0, 2, 3, 1]);
  }
}

class ToChannelsFirst extends Identity {
  override forward(x: Tensor): Tensor {
    return x.permute([0, 3, 1, 2]);
  }
}

/** 7x7 depthwise convolution, then a two-layer network at each position; the branch is scaled per channel. */
class Block extends Module {
  readonly layer_scale: Parameter;
  readonly block: Sequential;
  readonly stochasticDepth: StochasticDepth;

  constructor(channels: number, dropProbability: number) {
    super();
    this.layer_scale = new Parameter(torch.full([channels, 1, 1], layerScale, { dtype: 'float32' }));
    this.block = new Chain(
      new Conv2d(channels, channels, 7, { padding: 3, groups: channels }),
      new ToChannelsLast(),
      new LayerNorm(channels, { eps }),
      new Linear(channels, 4 * channels),
      new GELU(),
      new Linear(4 * channels, channels),
      new ToChannelsFirst(),
    );
    this.stochasticDepth = new StochasticDepth(dropProbability);
  }

  forward(x: Tensor): Tensor {
    return x.add(this.stochasticDepth.forward(this.block.forward(x).mul(this.layer_scale)));
  }
}

/** For each stage: channels and blocks. */
const stages = [
  [96, 3],
  [192, 3],
  [384, 9],
  [768, 3],
] as const;
const total = stages.reduce((sum, [, count]) => sum + count, 0);

/**
 * ConvNeXt-T (Liu et al. 2022) with torchvision's names and initial weights. `pooled` is the mean of the map after the
 * classifier's layer normalization. Images of at least 32x32.
 */
export class ConvNeXt extends Classifier {
  readonly features: Sequential;
  readonly classifier: Sequential;
  readonly featureChannels = 768;

  constructor(
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    let made = 0;
    const stem = new Chain(new Conv2d(inChannels, 96, 4, { stride: 4 }), new LayerNorm2d(96, { eps }));
    const layers = stages.flatMap(([channels, count], i) => {
      const next = stages[i + 1]?.[0];
      const blocks = Array.from({ length: count }, () => new Block(channels, (0.1 * made++) / (total - 1)));
      const stage = new Chain(...blocks);
      if (!next) return [stage];
      return [stage, new Chain(new LayerNorm2d(channels, { eps }), new Conv2d(channels, next, 2, { stride: 2 }))];
    });
    this.features = new Chain(stem, ...layers);
    this.classifier = new Chain(new LayerNorm2d(768, { eps }), new Identity(), new Linear(768, numClasses));
    this.apply((module) => {
      if (!(module instanceof Conv2d || module instanceof Linear)) return;
      init.normal_(module.weight, 0, 0.02);
      if (module.bias) init.zeros_(module.bias);
    });
  }

  forwardFeatures(images: Tensor): Features {
    const outputs = outputsAfter([1, 3, 5, 7], this.features.layers(), images);
    const map = outputs.at(-1) as Tensor;
    const [norm, , linear] = this.classifier.layers() as [LayerNorm2d, Identity, Linear];
    const pooled = norm.forward(F.globalAvgPool(map).reshape([-1, 768, 1, 1])).flatten(1);
    return { map, pooled, logits: linear.forward(pooled), stages: outputs };
  }
}

export const convNeXts: ModelFamily = {
  names: ['convnext_tiny'],
  summary: 'ConvNeXt for 224x224 images (torchvision)',
  imageSize: 224,
  numClasses: 1000,
  create: (_name, { numClasses, inChannels }) => new ConvNeXt(numClasses, inChannels),
};
