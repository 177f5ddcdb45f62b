import { expect, it } from 'vitest';
import { decode } from '../../src/data/decode.js';
import { fixture } from '../helpers/inputs.js';

interface PillowImages {
  width: number;
  height: number;
  files: Record<string, { file: string; pixels: string }>;
}

const { width, height, files } = fixture<PillowImages>('images');
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));

it.each(Object.keys(files))("an image that is a %s has Pillow's bytes", async (kind) => {
  const { file, pixels } = files[kind] as { file: string; pixels: string };
  const whole = { left: 0, top: 0, width, height };
  expect(await decode(bytes(file), kind, width, () => whole)).toEqual(bytes(pixels));
});
