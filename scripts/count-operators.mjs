// How many operators a captured step of SRRL has on the mock device, by kind, with libtorch's operators and with the
// package's kernels, in float32 and bfloat16: the table of docs/devices.md. Needs a build with tests.
//   node scripts/count-operators.mjs [TEACHER] [STUDENT] [OPTIMIZER]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [teacherName = 'wrn_40_2', studentName = 'wrn_16_2', optimizer = 'sgd', ...how] = process.argv.slice(2);
const groups = [
  ['all', () => true],
  ['convolutions, forward and backward', (kind) => /convolution/.test(kind) && !/relu/.test(kind)],
  ['convolutions with ReLU', (kind) => /convolution.*relu/.test(kind)],
  ['batch normalization and ReLU, one by one', (kind) => /batch_norm|aten::(relu|threshold)/.test(kind)],
  ['batch normalization and ReLU, own kernels', (kind) => /^srrl::norm_/.test(kind)],
  ['copies', (kind) => /copy|_to_copy|clone/.test(kind)],
  ['norms of gradients', (kind) => /norm$|linalg_vector_norm/.test(kind) && !/batch_norm/.test(kind)],
  ['update', (kind) => /update_|_fused_(sgd|adam)|lerp|_foreach/.test(kind)],
];

/** One run in this process, whose captured steps the mock device lists on stderr. */
async function run([precision, kernels]) {
  const { native } = await import('../dist/native.js');
  native();
  const mock = { exports: {} };
  process.dlopen(mock, fileURLToPath(new URL('../build/test/srrl-pretend.so', import.meta.url)));
  mock.exports.emulateKernels();
  const { distill, models, openDataset, Teacher } = await import('../dist/index.js');
  const { default: torch } = await import('../dist/torch.js');
  torch.manualSeed(3);
  const device = 'hpu:0';
  const data = await openDataset('shapes:16?test=4');
  const teacher = Teacher.of(models.create(teacherName, { numClasses: 12 }).to({ device }), teacherName);
  const setup = { method: 'srrl', student: studentName, teacher, data, batchSize: 4, epochs: 1, lr: 0.01, optimizer };
  for await (const event of distill({ ...setup, device, precision, kernels }))
    if (event.type === 'notice') console.error(`notice ${event.message}`);
}

function counted(precision, kernels) {
  const script = fileURLToPath(import.meta.url);
  const { stderr, status } = spawnSync(
    process.execPath,
    [script, teacherName, studentName, optimizer, precision, kernels],
    { encoding: 'utf8', env: { ...process.env, SRRL_COUNT_RECORDED: '1' }, maxBuffer: 1 << 28 },
  );
  if (status !== 0) throw new Error(stderr);
  const lines = stderr.split('\n').flatMap((line) => {
    const [, kind, count] = /^(\S+) (\d+)$/.exec(line) ?? [];
    return kind ? [{ kind, count: Number(count) }] : [];
  });
  // Each capture lists its kinds in alphabetical order; the largest one is the step.
  const captures = [];
  for (const [i, line] of lines.entries()) {
    if (i === 0 || line.kind <= lines[i - 1].kind) captures.push([]);
    captures.at(-1).push(line);
  }
  const sum = (capture) => capture.reduce((all, { count }) => all + count, 0);
  return captures.toSorted((a, b) => sum(b) - sum(a))[0];
}

if (how.length === 2) await run(how);
else {
  const forms = ['float32', 'bfloat16'].flatMap((precision) =>
    ['plain', 'auto'].map((kernels) => [precision, kernels]),
  );
  const tables = forms.map(([precision, kernels]) => counted(precision, kernels));
  if (process.env.SRRL_ALL_KINDS) for (const { kind, count } of tables.at(-1)) console.log(`${kind} ${count}`);
  console.log(['operators per step', ...forms.map((form) => form.join(', '))].join(' | '));
  for (const [name, belongs] of groups) {
    const counts = tables.map((table) =>
      table.filter(({ kind }) => belongs(kind)).reduce((all, { count }) => all + count, 0),
    );
    console.log([name, ...counts].join(' | '));
  }
}
