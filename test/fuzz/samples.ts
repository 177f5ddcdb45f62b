/** Files that are whole, for fuzzers to change, where no fixture has them. */
import { writeTarSum } from './repair.js';

function entry(name: string, content: Buffer, kind = '0'): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(content.length.toString(8).padStart(11, '0'), 124);
  header.write(kind, 156);
  writeTarSum(header);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** An archive with all kinds of headers. */
export function tarSample(): Buffer {
  return Buffer.concat([
    ...[entry('a.jpg', Buffer.alloc(700, 'x')), entry('a.cls', Buffer.from('3'))],
    ...[entry('PaxHeader', Buffer.from('26 path=a-longer-name.jpg\n'), 'x'), entry('b.jpg', Buffer.alloc(20))],
    ...[entry('././@LongLink', Buffer.from('c.jpg\0'), 'L'), entry('x', Buffer.alloc(5))],
    Buffer.alloc(1024),
  ]);
}

/** A shard of two images. */
export function shardSample(): Buffer {
  const pair = (key: string) => [entry(`${key}.jpg`, Buffer.alloc(9, 'x')), entry(`${key}.cls`, Buffer.from('1'))];
  return Buffer.concat([...pair('a'), ...pair('b'), Buffer.alloc(1024)]);
}

export const idxImages = () => {
  const header = Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28]);
  return Buffer.concat([header, Buffer.alloc(2 * 28 * 28, 7)]);
};

export const runConfig = Buffer.from(
  'data: shapes\nstudent: resnet8\nepochs: 2\nbase: &a { lr: 0.1 }\nother: *a\nlist: [1, 2]\n',
);

/** The records of a run of one epoch, as events.jsonl has them. */
export const runEvents = Buffer.from(
  [
    { type: 'start', time: '2026-11-27T10:00:00Z', config: { data: 'shapes' }, parameters: 12, classes: 3 },
    { type: 'step', step: 1 },
    {
      ...{ type: 'epoch', epoch: 1, epochs: 2, lr: 0.1, loss: 2, terms: { ce: 2, kd: null }, trainTop1: 0.5 },
      ...{ test: { top1: 0.5, top5: 1, loss: null, count: 8 }, imagesPerSecond: 10, seconds: 1 },
    },
    { type: 'end', test: { top1: 0.5, top5: 1, loss: 1, count: 8 }, epoch: 1, seconds: 2 },
  ]
    .map((event) => `${JSON.stringify(event)}\n`)
    .join(''),
);

const network = { accuracy: 0.5, confusion: [[1, 0], [1, 0]] }; // biome-ignore format: two rows
export const runAnalysis = Buffer.from(
  JSON.stringify({
    ...{ split: 'test', overall: { count: 2, agreement: 1, klDivergence: null }, cka: 0.5 },
    ...{ teacher: network, student: network },
    classes: ['a', 'b'].map((name) => ({ name, count: 1, agreement: 1, teacherAccuracy: 1, studentAccuracy: 0 })),
    examples: [
      {
        ...{ label: 0, student: { predicted: 1, confidence: 0.5 }, teacher: { predicted: 0, confidence: 1 } },
        image: 'data:image/png;base64,AAAA',
      },
    ],
  }),
);

export const sweep = Buffer.from(
  'out: runs/a\ncommon: &c { data: shapes, epochs: 1 }\nteachers:\n  big: { options: { student: resnet8 } }\n' +
    'runs:\n  - { teacher: big, options: *c, grid: { seed: [1, 2], method: [kd, srrl] } }\n  - { name: b, together: true }\n',
);

export const cacheKey = Buffer.from(JSON.stringify({ version: 2, views: 2, images: 3, width: 4, dtype: 'float16' }));
