// A data set of three training images: --data module:THIS
const split = (count) => ({
  images: Uint8Array.from({ length: count * 3 * 8 * 8 }, (_, i) => (i * 37) % 251),
  labels: Uint8Array.from({ length: count }, (_, i) => i % 3),
});

export default {
  source: 'three images',
  ...{ classes: ['a', 'b', 'c'], channels: 3, height: 8, width: 8 },
  ...{ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  ...{ augment: { pad: 0, flip: false }, train: split(3), test: split(6) },
};
