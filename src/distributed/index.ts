/** Training with several processes, on one machine or many: torch.distributed in camelCase. */
export { type DataParallelOptions, DistributedDataParallel } from './data-parallel.js';
export { firstNode, type Place, placeFrom } from './environment.js';
export {
  allGather,
  allReduce,
  type Backend,
  barrier,
  broadcast,
  destroy,
  getBackend,
  getRank,
  getWorldSize,
  type InitOptions,
  init,
  isInitialized,
  type ReduceOp,
} from './group.js';
