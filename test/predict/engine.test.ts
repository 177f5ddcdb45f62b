/** How images that are asked for at the same time share a batch. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Engine, type EngineOptions } from '../../src/predict/engine.js';
import { sendable } from '../../src/predict/image-input.js';
import type { Runtime } from '../../src/predict/index.js';
import type { Tensor } from '../../src/torch.js';

const preprocessing = { resize: [4, 4], crop: [4, 4], mean: [0, 0, 0], std: [1, 1, 1] } as const;
const card = { model: 'means', numClasses: 3, inChannels: 3, data: 'none', classes: ['r', 'g', 'b'], preprocessing };

/** A network whose logits are the means of the channels; notes the sizes of its batches. */
function means(classes = card.classes): Runtime & { sizes: number[]; disposed: number } {
  return {
    file: 'means',
    card: { ...card, classes },
    device: 'cpu',
    sizes: [],
    disposed: 0,
    async run(images: Tensor) {
      this.sizes.push(images.shape[0] as number);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return images.mean([2, 3]);
    },
    dispose() {
      this.disposed++;
    },
  };
}

const options: EngineOptions = { topK: 3, batchSize: 8, maxDelayMs: 1000, workers: 4 };

const plain = async (r: number, g: number, b: number) =>
  sendable(
    await sharp({ create: { width: 6, height: 5, channels: 3, background: { r, g, b } } })
      .png()
      .toBuffer(),
  ).sent;

describe('batches', () => {
  it('hold the images that are asked for together, each with its own answer', async () => {
    const network = means();
    const engine = new Engine(network, options);
    const images = await Promise.all(Array.from({ length: 20 }, (_, i) => plain(i, 250 - i, 100)));
    const answers = await Promise.all(images.map((image) => engine.predict(image)));
    expect(network.sizes.reduce((sum, size) => sum + size, 0)).toBe(20);
    expect(network.sizes).toEqual([8, 8, 4]);
    for (const [i, [best, second, third]] of answers.entries()) {
      expect([best?.label, second?.label, third?.label]).toEqual(['g', 'b', 'r']);
      const powers = [i, 250 - i, 100].map((value) => Math.exp(value / 255));
      const sum = powers.reduce((total, power) => total + power, 0);
      expect(best?.probability).toBeCloseTo((powers[1] as number) / sum, 5);
    }
    engine.dispose();
    expect(network.disposed).toBe(1);
  });

  it('do not hold up an image that comes alone', async () => {
    const network = means();
    const engine = new Engine(network, { ...options, maxDelayMs: 1e6 });
    expect(await engine.predict(await plain(200, 0, 0))).toHaveLength(3);
    expect(network.sizes).toEqual([1]);
  });

  it('run the images that came while the network was busy', async () => {
    const network = means();
    const engine = new Engine(network, options);
    const images = await Promise.all([1, 2, 3, 4].map((value) => plain(value, 0, 0)));
    const first = engine.predict(images[0] as never);
    while (network.sizes.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await Promise.all([first, ...images.slice(1).map((image) => engine.predict(image))]);
    expect(network.sizes).toEqual([1, 3]);
  });

  it('continue without an image that is broken', async () => {
    const network = means();
    const engine = new Engine(network, options);
    const good = await plain(0, 0, 255);
    const broken = sendable(Buffer.from('x'), 'upload 7').sent;
    const [a, b, c] = await Promise.allSettled([good, broken, good].map((image) => engine.predict(image)));
    expect([a?.status, c?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect((b as PromiseRejectedResult).reason).toMatchObject({ name: 'DataError' });
    expect(String((b as PromiseRejectedResult).reason)).toContain('upload 7 cannot be decoded');
    expect(network.sizes).toEqual([2]);
  });

  it('fail as a whole where the network does, and the next one runs', async () => {
    const network = means();
    const engine = new Engine(network, options);
    const image = await plain(9, 9, 9);
    const run = network.run;
    network.run = async (images) => (await run.call(network, images)).div(0).sub(Number.POSITIVE_INFINITY);
    await expect(engine.predict(image)).rejects.toThrow(/returns NaN or Inf/);
    network.run = run;
    // Of equal logits the class of the lower number comes first.
    expect((await engine.predict(image)).map(({ index }) => index)).toEqual([0, 1, 2]);
    const other = new Engine(means(['r', 'g']), options);
    await expect(other.predict(image)).rejects.toThrow(/returns \[1, 3\] for its 2 classes/);
  });
});
