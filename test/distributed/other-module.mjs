// A rank whose module is as wide as its number plus 2.
import { DistributedDataParallel, distributed } from '../../dist/index.js';
import { nn } from '../../dist/torch.js';

await distributed.init();
new DistributedDataParallel(new nn.Linear(2, 2 + distributed.getRank()));
