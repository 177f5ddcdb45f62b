/** Bytes and texts that are almost right. */
import { SampleRandom } from '../../src/data/philox.js';

/** Numbers at which readers go wrong: signs, widths, and what memory cannot hold. */
const tellingBytes = [0x00, 0x01, 0x7f, 0x80, 0xff];
const tellingTexts = ['-1', '-1000', '99999999999999999999', '1e9', '0x10', ' ', '\0', '"', '{', '[', "'", '\n'];

type Mutation = (bytes: Buffer, random: SampleRandom) => Buffer;

function within(bytes: Buffer, random: SampleRandom): number {
  // Most of what is parsed comes first or last.
  const area = random.below(4);
  const near = Math.min(bytes.length, 512);
  if (area === 0) return random.below(near);
  if (area === 1) return bytes.length - 1 - random.below(near);
  return random.below(bytes.length);
}

const mutations: Mutation[] = [
  (bytes, random) => {
    const at = within(bytes, random);
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    return bytes;
  },
  (bytes, random) => {
    bytes[within(bytes, random)] = random.below(256);
    return bytes;
  },
  (bytes, random) => {
    const at = within(bytes, random);
    bytes.fill(
      tellingBytes[random.below(tellingBytes.length)] as number,
      at,
      Math.min(bytes.length, at + 1 + random.below(8)),
    );
    return bytes;
  },
  (bytes, random) => bytes.subarray(0, within(bytes, random)),
  (bytes, random) => {
    const [from, to] = [within(bytes, random), within(bytes, random)];
    const part = Buffer.from(bytes.subarray(from, from + 1 + random.below(64)));
    return Buffer.concat([bytes.subarray(0, to), part, bytes.subarray(to)]);
  },
  (bytes, random) => {
    const at = within(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(64))]);
  },
  (bytes, random) => {
    const text = tellingTexts[random.below(tellingTexts.length)] as string;
    bytes.write(text, Math.min(within(bytes, random), Math.max(0, bytes.length - text.length)), 'latin1');
    return bytes;
  },
  (bytes, random) => {
    const at = Math.min(within(bytes, random), Math.max(0, bytes.length - 8));
    const value = [0xffffffff, 0x7fffffff, 0x80000000, bytes.length + 1][random.below(4)] as number;
    if (bytes.length >= 8) random.below(2) ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at);
    return bytes;
  },
];

/** The bytes with one to three mutations, which the numbers decide. */
export function mutated(bytes: Buffer, seed: number, trial: number): Buffer {
  const random = new SampleRandom(seed, 99, trial);
  let changed = Buffer.from(bytes);
  for (let count = 1 + random.below(3); count > 0 && changed.length > 0; count--)
    changed = Buffer.from((mutations[random.below(mutations.length)] as Mutation)(changed, random));
  return changed;
}
