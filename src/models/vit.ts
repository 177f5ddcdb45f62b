import { ConfigError, ShapeError } from '../errors.js';
import type { Features } from '../flow.js';
import { Conv2d, GELU, init, LayerNorm, Linear, Module, Parameter, type Sequential } from '../nn/index.js';
import { noGrad, type Tensor, functions as torch } from '../tensor/index.js';
import { Chain } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const eps = 1e-6;
const patch = 16;
const width = 384;
const heads = 6;
const depth = 12;
/** The numbers of the blocks whose outputs are returned as stages. */
const stageEnds = [2, 5, 8, 11];

/**
 * Fills a tensor from timm's truncated normal distribution, standard deviation 0.02, by the inverse cumulative
 * function; truncated at 100 deviations.
 */
function truncNormal_(tensor: Tensor): void {
  noGrad(() =>
    tensor
      .uniform_(-1, 1)
      .erfinv_()
      .mul_(0.02 * Math.SQRT2)
      .clamp_(-2, 2),
  );
}

class Attention extends Module {
  readonly qkv = new Linear(width, 3 * width);
  readonly proj = new Linear(width, width);

  forward(x: Tensor): Tensor {
    const [count, tokens] = x.shape as [number, number];
    const split = this.qkv.forward(x).reshape([count, tokens, 3, heads, width / heads]);
    const [q, k, v] = split.permute([2, 0, 3, 1, 4]).unbind(0) as [Tensor, Tensor, Tensor];
    const mixed = torch.scaledDotProductAttention(q, k, v);
    return this.proj.forward(mixed.transpose(1, 2).reshape([count, tokens, width]));
  }
}

class Mlp extends Module {
  readonly fc1 = new Linear(width, 4 * width);
  readonly fc2 = new Linear(4 * width, width);
  private readonly activation = new GELU();

  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.activation.forward(this.fc1.forward(x)));
  }
}

class Block extends Module {
  readonly norm1 = new LayerNorm(width, { eps });
  readonly attn = new Attention();
  readonly norm2 = new LayerNorm(width, { eps });
  readonly mlp = new Mlp();

  forward(x: Tensor): Tensor {
    const attended = x.add(this.attn.forward(this.norm1.forward(x)));
    return attended.add(this.mlp.forward(this.norm2.forward(attended)));
  }
}

class PatchEmbedding extends Module {
  readonly proj: Conv2d;

  constructor(inChannels: number) {
    super();
    this.proj = new Conv2d(inChannels, width, patch, { stride: patch });
  }

  /** Embeds patches: [N, C, H, W] -> [N, H/16 * W/16, width]. */
  forward(images: Tensor): Tensor {
    return this.proj.forward(images).flatten(2).transpose(1, 2);
  }
}

/**
 * Vision transformer ViT-S/16 (Dosovitskiy et al. 2021; identical to DeiT-S of Touvron et al. 2021) with timm's names
 * and initial weights. `pooled` is the class token after the last normalization, `map` the other tokens at that point,
 * as a grid [N, 384, H/16, W/16]; `stages` are the grids after blocks 3, 6, 9 and 12. Accepts only the image size that
 * it was created for.
 */
export class VisionTransformer extends Classifier {
  readonly cls_token: Parameter;
  readonly pos_embed: Parameter;
  readonly patch_embed: PatchEmbedding;
  readonly blocks: Sequential;
  readonly norm: LayerNorm;
  readonly head: Linear;
  readonly featureChannels = width;

  constructor(
    readonly imageSize: number,
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    if (imageSize % patch !== 0)
      throw new ConfigError(`imageSize must be a multiple of the patch size ${patch}, not ${imageSize}.`);
    this.cls_token = new Parameter(torch.zeros([1, 1, width], { dtype: 'float32' }));
    this.pos_embed = new Parameter(torch.zeros([1, (imageSize / patch) ** 2 + 1, width], { dtype: 'float32' }));
    this.patch_embed = new PatchEmbedding(inChannels);
    this.blocks = new Chain(...Array.from({ length: depth }, () => new Block()));
    this.norm = new LayerNorm(width, { eps });
    this.head = new Linear(width, numClasses);
    truncNormal_(this.pos_embed);
    init.normal_(this.cls_token, 0, 1e-6);
    this.apply((module) => {
      if (!(module instanceof Linear)) return;
      truncNormal_(module.weight);
      if (module.bias) init.zeros_(module.bias);
    });
  }

  forwardFeatures(images: Tensor): Features {
    const [count, , height, breadth] = images.shape as [number, number, number, number];
    const { imageSize } = this;
    if (height !== imageSize || breadth !== imageSize)
      throw new ShapeError(
        `The transformer was made for ${imageSize}x${imageSize} images and got [${images.shape.join(', ')}]. ` +
          'Resize them, or create it with { imageSize }.',
      );
    const grid = (tokens: Tensor) =>
      tokens
        .narrow(1, 1, (imageSize / patch) ** 2)
        .transpose(1, 2)
        .reshape([count, width, imageSize / patch, imageSize / patch]);
    const classToken = this.cls_token.expand([count, 1, width]);
    let tokens = torch.cat([classToken, this.patch_embed.forward(images)], 1).add(this.pos_embed);
    const stages = this.blocks.layers().flatMap((block, i) => {
      tokens = block.forward(tokens);
      return stageEnds.includes(i) ? [grid(tokens)] : [];
    });
    const last = this.norm.forward(tokens);
    const pooled = last.select(1, 0);
    return { map: grid(last), pooled, logits: this.head.forward(pooled), stages };
  }
}

export const visionTransformers: ModelFamily = {
  names: ['vit_small_patch16_224', 'deit_small_patch16_224'],
  summary: 'Vision transformer of small width for 224x224 images, or { imageSize } (timm)',
  imageSize: 224,
  numClasses: 1000,
  create: (_name, { numClasses, inChannels, imageSize }) => new VisionTransformer(imageSize, numClasses, inChannels),
};
