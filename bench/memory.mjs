// Memory of a million small operations: in one synchronous loop of scopes, and without any scope but with an awaited turn now and then.
//   node --expose-gc bench/memory.mjs
import torch from '../dist/torch.js';

const operations = 1_000_000;
const x = torch.randn([8, 8]);
torch.keep(x);

const mebibytes = (bytes) => Math.round(bytes / 2 ** 20);

/** What is highest while operations are done, looked at every 1,000 of them. */
function watch(name) {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let [rss, live] = [0, 0];
  return {
    look() {
      rss = Math.max(rss, process.memoryUsage.rss());
      live = Math.max(live, torch.memory().tensors);
    },
    row: () => ({
      name,
      'RSS before, MiB': mebibytes(before),
      'highest RSS, MiB': mebibytes(rss),
      'most live tensors': live,
    }),
  };
}

function thousand() {
  for (let i = 0; i < 1_000; i++) x.add(x);
}

const scoped = watch('one synchronous loop, a scope every 1,000');
for (let done = 0; done < operations; done += 1_000) {
  torch.scope(() => {
    thousand();
    if (done % 10_000 === 0) scoped.look();
  });
}
const bare = watch('no scope, an awaited turn every 1,000');
for (let done = 0; done < operations; done += 1_000) {
  thousand();
  if (done % 10_000 === 0) bare.look();
  await new Promise(setImmediate);
}
console.log(`${operations.toLocaleString('en')} additions of 8x8, Node ${process.version}, libtorch ${torch.version}`);
console.table([scoped.row(), bare.row()]);
