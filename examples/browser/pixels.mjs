/**
 * The pixels of an image as the training's evaluation saw them: resized until they cover a size, by bilinear
 * interpolation with antialiasing, and cropped in the middle. A canvas would resize in the browser's own way.
 */

/** RGBA pixels [height, width, 4] of the crop. */
export async function pixelsOf(file, { size, crop_size: crop }) {
  const { data, width, height } = await decoded(file);
  const [w, h] = coveredSize(width, height, size);
  const [left, top] = [roundHalfEven((w - crop.width) / 2), roundHalfEven((h - crop.height) / 2)];
  const columns = taps(width, w, left, crop.width);
  const rows = taps(height, h, top, crop.height);
  return resizedColumns(resizedRows(data, width, columns), crop.width, rows);
}

async function decoded(file) {
  // Pixels as they are in the file, without its orientation and color profile, as in training.
  const options = { imageOrientation: 'none', colorSpaceConversion: 'none', premultiplyAlpha: 'none' };
  const bitmap = await createImageBitmap(file, options);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function coveredSize(width, height, { shortest_edge: edge, height: rows = edge, width: columns = edge }) {
  return columns / width >= rows / height
    ? [columns, Math.floor((columns * height) / width)]
    : [Math.floor((rows * width) / height), rows];
}

function roundHalfEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** For each of `count` target pixels from `from` on: where its source pixels begin, and their weights. */
function taps(source, target, from, count) {
  const scale = source / target;
  const support = Math.max(scale, 1);
  return Array.from({ length: count }, (_, i) => {
    const center = (i + from + 0.5) * scale;
    const begin = Math.max(0, Math.floor(center - support + 0.5));
    const end = Math.min(source, Math.floor(center + support + 0.5));
    const weights = Array.from({ length: Math.max(1, end - begin) }, (_, k) =>
      Math.max(0, 1 - Math.abs((begin + k - center + 0.5) / support)),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { begin, weights: weights.map((weight) => weight / sum) };
  });
}

/** Every row of an image `width` wide, made as wide as there are taps. */
function resizedRows(data, width, columns) {
  const height = data.length / 4 / width;
  const result = new Uint8ClampedArray(height * columns.length * 4);
  for (let y = 0; y < height; y++)
    for (const [x, { begin, weights }] of columns.entries())
      for (let c = 0; c < 4; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * data[4 * (y * width + begin + k) + c];
        result[4 * (y * columns.length + x) + c] = sum;
      }
  return result;
}

/** Every column of an image `width` wide, made as high as there are taps. */
function resizedColumns(data, width, rows) {
  const result = new Uint8ClampedArray(rows.length * width * 4);
  for (const [y, { begin, weights }] of rows.entries())
    for (let i = 0; i < 4 * width; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * data[4 * (begin + k) * width + i];
      result[4 * y * width + i] = sum;
    }
  return result;
}
