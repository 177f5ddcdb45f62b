/** Checks that all ranks have equal settings and weights: compares hashes and names the part that differs. */
import { createHash } from 'node:crypto';
import { DistributedError } from '../errors.js';
import { native, packageVersion } from '../native.js';
import { fromArray, noGrad, scope, type Tensor } from '../tensor/index.js';
import { getRank, getWorldSize } from './group.js';
import { allGatherNow, broadcastNow, bytesNow, numbersNow } from './immediate.js';

const hashOf = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Returns the texts of all ranks, in rank order. */
function exchanged(text: string): string[] {
  return noGrad(() =>
    scope(() => {
      const own = new TextEncoder().encode(text);
      const [longest = 0] = numbersNow([own.length], 'max');
      // The text is padded with zeros, which JSON never contains.
      const row = new Uint8Array(longest);
      row.set(own);
      const all = allGatherNow(fromArray(row, [longest]));
      return Array.from({ length: getWorldSize() }, (_, rank) => {
        const bytes = all.select(0, rank).contiguous().toTypedArray() as Uint8Array;
        return new TextDecoder().decode(bytes).replace(/\0+$/, '');
      });
    }),
  );
}

/** Calls {@link mustAgree} for one command on all ranks, including the versions of srrl and libtorch. */
export const mustDoTheSame = (what: string, values: Readonly<Record<string, unknown>>): void =>
  mustAgree(what, {
    'version of srrl': packageVersion,
    'version of libtorch': native().libtorchVersion,
    ...values,
  });

/**
 * Throws DistributedError on every rank if a rank's values differ from those of rank 0, and names the first key that
 * differs. Values are compared by hash; the error shows their first 80 characters.
 */
export function mustAgree(what: string, values: Readonly<Record<string, unknown>>): void {
  const own = Object.entries(values).map(([key, value]) => {
    const text = JSON.stringify(value) ?? 'nothing';
    return [key, hashOf(text), text.slice(0, 80)] as const;
  });
  const all = exchanged(JSON.stringify(own)).map(
    (text) => new Map((JSON.parse(text) as typeof own).map(([key, ...rest]) => [key, rest])),
  );
  const [first] = all;
  for (const [rank, other] of all.entries()) {
    for (const key of new Set([...(first?.keys() ?? []), ...other.keys()])) {
      const [mine, theirs] = [first?.get(key), other.get(key)];
      if (mine?.[0] === theirs?.[0]) continue;
      throw new DistributedError(
        `Rank ${rank} has another ${what} than rank 0: ${key} is ${theirs?.[1] ?? 'not there'} there and ${mine?.[1] ?? 'not there'} on rank 0. Start all ranks with the same arguments, data, files and version of srrl.`,
      );
    }
  }
}

/** SHA-256 of names, dtypes, shapes and values: its first 16 hex digits. */
export function stateHash(state: Readonly<Record<string, Tensor>>): string {
  const hash = createHash('sha256');
  noGrad(() =>
    scope(() => {
      for (const [name, tensor] of Object.entries(state)) {
        hash.update(`${name} ${tensor.dtype} ${tensor.shape.join()}\n`);
        const plain = tensor.detach().to({ device: 'cpu' }).contiguous();
        const { buffer, byteOffset, byteLength } = plain.view([-1]).toTypedArray() as Uint8Array;
        hash.update(new Uint8Array(buffer, byteOffset, byteLength));
      }
    }),
  );
  return hash.digest('hex').slice(0, 16);
}

/**
 * Broadcasts the parameters and buffers of rank 0, and verifies the received values by a hash. Throws DistributedError
 * if a rank has other names, dtypes or shapes, or if the hashes differ afterwards.
 */
export function broadcastState(what: string, state: Readonly<Record<string, Tensor>>): void {
  const layout = Object.entries(state).map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape}]`);
  const source = new TextDecoder().decode(bytesNow(new TextEncoder().encode(layout.join('\n')))).split('\n');
  const at = layout.findIndex((line, i) => line !== source[i]);
  if (at >= 0 || layout.length !== source.length) {
    const place = at >= 0 ? at : layout.length;
    throw new DistributedError(
      `Rank ${getRank()} has another ${what} than rank 0: '${layout[place] ?? 'nothing'}' instead of '${source[place] ?? 'nothing'}'. Use the same model on all ranks.`,
    );
  }
  noGrad(() => broadcastNow(Object.values(state)));
  const own = stateHash(state);
  const expected = new TextDecoder().decode(bytesNow(new TextEncoder().encode(own)));
  if (own !== expected)
    throw new DistributedError(
      `The ${what} of rank ${getRank()} has the hash ${own} after the broadcast, and that of rank 0 has ${expected}: the network or a memory is faulty.`,
    );
}
