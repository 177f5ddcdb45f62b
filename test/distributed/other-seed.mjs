// A rank of a run whose seed is its number.
import { distributed, train } from '../../dist/index.js';

await distributed.init();
const options = { data: 'shapes:60?test=50', student: 'resnet8', batchSize: 12, epochs: 1 };
for await (const event of train({ ...options, seed: distributed.getRank(), out: process.argv[2] })) void event;
