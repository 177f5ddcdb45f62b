// What the fuzzer begins with, for each target of scripts/fuzz/native/.
import { readFileSync } from 'node:fs';

const fixture = (name) =>
  JSON.parse(readFileSync(new URL(`../../../test/fixtures/data/${name}.json`, import.meta.url), 'utf8'));

/** Bytes that look random, the same each time. */
function* noise(count, size) {
  let state = 1;
  for (let i = 0; i < count; i++) {
    yield Uint8Array.from({ length: size }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    });
  }
}

/** Numbers of a part in front of each kind of file that Pillow writes. */
function* jpeg() {
  const parts = [...noise(3, 64)];
  for (const { file } of Object.values(fixture('jpeg').files)) {
    for (const part of parts) yield Buffer.concat([part, Buffer.from(file, 'base64')]);
  }
}

/** As libtorch, Gloo and Node-API write them. */
function* messages() {
  const texts = [
    'The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 1',
    "Could not run 'aten::add' with arguments from the 'X' backend. This could be because the operator doesn't exist\n\nCPU: registered at /x",
    "CUDA error: invalid argument\nSearch for `cudaErrorInvalidValue' in https://x\nCUDA kernel errors might be asynchronously reported\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n",
    'The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript (most recent call last):\n  File "a.py", line 1\nRuntimeError: mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)\n',
    '[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1234. This is typically caused by a crash.',
    'Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [1]\nException raised from f at x.cpp:1 (most recent call first):\n#0',
    'A number was expected',
    '[no end.',
  ];
  for (const text of texts) yield Buffer.from(text);
}

export const seeds = {
  jpeg,
  messages,
  handles: () => noise(8, 256),
  vectors: () => noise(16, 64),
  views: () => noise(16, 512),
};
