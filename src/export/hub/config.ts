/** config.json and preprocessor_config.json, as timm and the image processors of transformers read them. */
import type { HubFacts } from './facts.js';

/** Architectures whose weights have the same names and shapes as timm's model of that name. */
const timmNames = new Set([
  'resnet18',
  'resnet34',
  'resnet50',
  'resnet101',
  'wide_resnet50_2',
  'vit_small_patch16_224',
  'deit_small_patch16_224',
]);

/** Returns whether `timm.create_model` makes this network. */
export const isInTimm = ({ student: { model, projected } }: HubFacts): boolean => timmNames.has(model) && !projected;

/** The number of bilinear interpolation in PIL and transformers. */
const bilinear = 2;

/**
 * Returns config.json: the architecture, the class names and, for timm's networks, the `pretrained_cfg`. transformers
 * treats a folder with one as timm's and leaves the preprocessing to timm.
 */
export function configOf(facts: HubFacts): object {
  const { student, classes, features } = facts;
  return {
    architecture: student.model,
    num_classes: student.numClasses,
    ...(features !== undefined && { num_features: features }),
    label_names: classes,
    id2label: Object.fromEntries(classes.map((name, i) => [i, name])),
    label2id: Object.fromEntries(classes.map((name, i) => [name, i])),
    ...(isInTimm(facts) && { pretrained_cfg: pretrainedConfig(facts) }),
  };
}

function pretrainedConfig({ student, preprocessing: { resize, crop, mean, std } }: HubFacts): object {
  return {
    tag: 'srrl',
    custom_load: false,
    input_size: student.input,
    fixed_input_size: /^(vit|deit)/.test(student.model),
    interpolation: 'bilinear',
    crop_pct: cropShare(crop[0], resize[0]),
    crop_mode: 'center',
    mean,
    std,
    num_classes: student.numClasses,
  };
}

/** Returns the crop share. timm resizes to floor(crop / share), so rounding must not lose a pixel. */
function cropShare(crop: number, resize: number): number {
  const share = crop / resize;
  return Math.floor(crop / share) === resize ? share : share * (1 - Number.EPSILON);
}

/** Returns preprocessor_config.json, with which AutoImageProcessor preprocesses images as the evaluation did. */
export function preprocessorOf({ preprocessing, student }: HubFacts): object {
  const {
    resize: [height, width],
    crop,
    mean,
    std,
  } = preprocessing;
  return {
    image_processor_type: 'BitImageProcessor',
    do_convert_rgb: student.inChannels === 3,
    do_resize: true,
    size: height === width ? { shortest_edge: height } : { height, width },
    resample: bilinear,
    do_center_crop: true,
    crop_size: { height: crop[0], width: crop[1] },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  };
}
