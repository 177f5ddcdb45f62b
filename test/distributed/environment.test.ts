import { describe, expect, it } from 'vitest';
import { partShares, shareOfParts } from '../../src/data/ranks.js';
import { firstNode, placeFrom } from '../../src/distributed/environment.js';
import { Reducer } from '../../src/distributed/reducer.js';
import { ConfigError, distributed } from '../../src/index.js';
import { native } from '../../src/native.js';
import torch from '../../src/torch.js';
import { freePort } from './ranks.js';

const master = { MASTER_ADDR: 'node0', MASTER_PORT: '29501' };

describe('the variables of launchers', () => {
  it('are none, and then there is one process', () => {
    expect(placeFrom({})).toBeUndefined();
  });

  it('are those of torchrun, with its store and restarts', () => {
    const agent = { TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '2' };
    expect(placeFrom({ RANK: '3', WORLD_SIZE: '8', LOCAL_RANK: '1', ...master, ...agent })).toEqual({
      ...{ rank: 3, worldSize: 8, localRank: 1, address: 'node0', port: 29501 },
      ...{ launcherHasStore: true, restarts: 2 },
    });
  });

  it('are those of a step of Slurm, whose first node is the meeting place', () => {
    const slurm = { SLURM_PROCID: '5', SLURM_NTASKS: '8', SLURM_LOCALID: '1', SLURM_JOB_ID: '1234' };
    const step = { SLURM_STEP_ID: '0', SLURM_STEP_NODELIST: 'gpu[003-006,9]' };
    expect(placeFrom({ ...slurm, ...step })).toMatchObject({ rank: 5, worldSize: 8, localRank: 1, address: 'gpu003' });
    // A shell in an allocation is not a task.
    expect(placeFrom(slurm)).toBeUndefined();
  });

  it('are those of Open MPI', () => {
    const mpi = { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_LOCAL_RANK: '1' };
    expect(placeFrom({ ...mpi, ...master })).toMatchObject({ rank: 1, worldSize: 2, localRank: 1 });
    // All on one machine.
    expect(placeFrom({ ...mpi, OMPI_COMM_WORLD_LOCAL_SIZE: '2' })).toMatchObject({ address: '127.0.0.1', port: 29500 });
    expect(() => placeFrom({ ...mpi, OMPI_COMM_WORLD_LOCAL_SIZE: '1' })).toThrow(/MASTER_ADDR/);
  });

  it.each([
    [{ RANK: '0', ...master }, /WORLD_SIZE is not set/],
    [{ WORLD_SIZE: '2', ...master }, /RANK is not set/],
    [{ RANK: '2', WORLD_SIZE: '2', ...master }, /contradict/],
    [{ RANK: 'x', WORLD_SIZE: '2', ...master }, /RANK=x/],
    [{ RANK: '0', WORLD_SIZE: '2', MASTER_PORT: '29501' }, /MASTER_ADDR/],
    [{ RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: 'a', MASTER_PORT: '0' }, /MASTER_PORT=0/],
  ])('%j are refused', (environment, message) => {
    expect(() => placeFrom(environment as Record<string, string>)).toThrow(ConfigError);
    expect(() => placeFrom(environment as Record<string, string>)).toThrow(message);
  });

  it.each([
    ['node1', 'node1'],
    ['node[1-4,7],other', 'node1'],
    ['a-[01,03]-x', 'a-01-x'],
  ])('%s begins with %s', (list, first) => expect(firstNode(list)).toBe(first));
});

describe('a group that cannot be formed', () => {
  const init = (options: object) => distributed.init({ rank: 0, worldSize: 2, timeout: 1, ...options });

  it('names an unknown host', async () => {
    await expect(init({ address: 'no-such-host.invalid', port: await freePort() })).rejects.toThrow(/no-such-host/);
  });

  it('names the rank that does not come', async () => {
    await expect(init({ port: await freePort() })).rejects.toThrow(/did not connect .* within 1 s: 1\./);
  });

  it('names a port that is in use', async () => {
    const { createServer } = await import('node:net');
    const server = createServer().listen(0);
    const { port } = server.address() as { port: number };
    await expect(init({ port })).rejects.toThrow(`port ${port} is in use`);
    server.close();
  });

  it('is not a group, and says so', async () => {
    expect(distributed.isInitialized()).toBe(false);
    await expect(distributed.barrier()).rejects.toThrow(/distributed.init\(\) first/);
  });
});

it('gradients of no parameters cannot be reduced, and only a reducer reduces', async () => {
  await distributed.init({ rank: 0, worldSize: 1, timeout: 10, port: await freePort() });
  try {
    expect(() => new Reducer([])).toThrow('no parameters');
    const tensor = torch.ones([1]);
    expect(() => native().armReducer(tensor.handle)).toThrow('expected a reducer');
  } finally {
    await distributed.destroy();
  }
});

describe('shares of a batch', () => {
  it.each([1, 2, 3, 4])('are together the batches of one process, for %i', (worldSize) => {
    const sharing = { count: 103, batchSize: 24, smallest: 2, part: 12 };
    const alone = shareOfParts(sharing, {});
    const ranks = Array.from({ length: worldSize }, (_, rank) => shareOfParts(sharing, { rank, worldSize }));
    for (let step = 0; step < alone.steps; step++) {
      const all = ranks.flatMap((share) => share.samples((position) => position, step));
      expect([...new Set(all)].sort((a, b) => a - b)).toEqual(alone.samples((position) => position, step));
    }
    expect(ranks.map(({ steps }) => steps)).toEqual(ranks.map(() => alone.steps));
  });

  it('are the whole part where it has too few images', () => {
    const shares = partShares(27, { part: 12, smallest: 2 }, { rank: 1, worldSize: 4 });
    expect(shares.map(({ begin, from, size, total, everyone }) => [begin, from, size, total, everyone])).toEqual([
      [0, 3, 3, 12, false],
      [12, 3, 3, 12, false],
      [24, 0, 3, 3, true],
    ]);
  });
});
