#!/usr/bin/env bash
# One session on a fresh machine with an NVIDIA GPU: builds the addon, runs the tests of devices, and measures against
# PyTorch. Run it in the root of the package, where node_modules/ and dist/ are (npm ci && npm run build:ts):
#
#   scripts/gpu-session.sh [MINUTES]     for the benchmark; default 6. The rest takes about three.
#
#   OUT          folder for logs and results; default gpu-session/
#   SRRL_PYTHON  a python whose torch has CUDA; default python3
#   LIBTORCH     what to build against; default that python's torch
#
# A part that fails does not keep the others from running, except for the build. Tables are printed last; the exit
# status is 1 where anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-6}
out=${OUT:-gpu-session}
export SRRL_PYTHON=${SRRL_PYTHON:-python3}
export LIBTORCH=${LIBTORCH:-$("$SRRL_PYTHON" -c 'import os, torch; print(os.path.dirname(torch.__file__))')}
mkdir -p "$out"
failed=()

# part NAME COMMAND...: runs it into $out/NAME.txt and $out/NAME.err, and says how long it took.
part() {
  local name=$1 began=$SECONDS status=0 word=done
  shift
  "$@" >"$out/$name.txt" 2>"$out/$name.err" || status=$?
  if [ $status -ne 0 ]; then
    failed+=("$name")
    word="FAILED ($status)"
  fi
  echo "$name: $word, $((SECONDS - began)) s"
  return $status
}

bench() { node bin/srrl.js bench "$@" --device cuda --precision bfloat16; }

[ -d dist ] || { echo 'There is no dist/: run npm run build:ts first.' >&2; exit 2; }
part machine nvidia-smi
part build node scripts/build-native.mjs || { tail -n 20 "$out"/build.*; exit 1; }
part doctor node bin/srrl.js doctor
part tests node_modules/.bin/vitest run --config vitest.cuda.config.ts
part memory bench memory --only 'after ten runs' --results "$out/memory.json"
part bench bench --against pytorch --compiled --budget "$minutes" --results "$out/bench.json"

for name in ${failed[@]+"${failed[@]}"}; do printf '\n%s:\n' "$name"; tail -n 15 "$out/$name.err"; done
echo
grep -E '×|FAIL|Tests |Test Files ' "$out/tests.txt" | head -n 60
echo
cat "$out/memory.txt"
echo
cat "$out/bench.txt"
[ ${#failed[@]} -eq 0 ] || { echo "Failed: ${failed[*]}"; exit 1; }
