#!/usr/bin/env bash
# Two machines as network namespaces with addresses of their own, one rank each: rank 1 is killed, stopped, and cut off
# from the network in the middle of a run. Prints what each machine says and when; then the run is resumed, and its
# weights are compared with those of a run that nobody disturbed. Needs root and iproute2; takes some minutes.
#
#   scripts/test-network.sh [FAULT...]      of kill, stop, cut; default all
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- kill stop cut
work=$(mktemp -d)
a=srrl-a-$$ b=srrl-b-$$
finish() {
  ip netns pids $b 2>/dev/null | xargs -r kill -9 2>/dev/null || true
  ip netns pids $a 2>/dev/null | xargs -r kill -9 2>/dev/null || true
  ip netns del $a 2>/dev/null || true
  ip netns del $b 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
ip netns add $a
ip netns add $b
ip link add va netns $a type veth peer name vb netns $b
ip -n $a addr add 10.77.0.1/24 dev va
ip -n $b addr add 10.77.0.2/24 dev vb
for name in $a $b; do ip -n $name link set lo up; done
ip -n $a link set va up
ip -n $b link set vb up

# machine NUMBER NAMESPACE OUT [OPTIONS...]: the launcher of one machine, with seconds in front of what it says.
machine() {
  local number=$1 space=$2 out=$3 began=$SECONDS
  shift 3
  ip netns exec "$space" node bin/srrl.js launch --nproc 1 --nnodes 2 --node-rank "$number" --master 10.77.0.1:29500 \
    --timeout 10 -- distill --data shapes:240 --teacher assets/shapes-teacher.pt --student resnet8 --epochs 6 \
    --batch-size 24 --checkpoint-steps 5 --out "$work/$out" "$@" 2>&1 |
    stdbuf -o0 tr '\r' '\n' | grep --line-buffered -E 'srrl:|Rank|rank|continuing|student: [0-9]' |
    while read -r line; do echo "  machine $number, $((SECONDS - began)) s: $line"; done
}
both() {
  machine 0 $a "$@" & local first=$!
  machine 1 $b "$@" || true
  wait $first || true
}
# All but the metadata, which hold the time.
weights() { tail -c +"$(($(od -An -N8 -tu8 "$1/student.safetensors") + 9))" "$1/student.safetensors" | sha256sum; }

echo 'undisturbed:'
both whole
for fault in "$@"; do
  echo "$fault:"
  both "$fault" --overwrite &
  run=$!
  until ls "$work/$fault"/checkpoint-*10.safetensors >/dev/null 2>&1; do sleep 0.2; done
  rank=$(for pid in $(ip netns pids $b); do tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'bin/srrl.js distill' && echo "$pid"; done | head -n 1)
  echo "  $fault at $(date +%T)"
  case $fault in
    kill) kill -9 "$rank" ;;
    stop) kill -STOP "$rank" ;;
    cut) ip -n $b link set vb down ;;
  esac
  wait $run
  echo "  ended at $(date +%T); resumed:"
  [ "$fault" != cut ] || ip -n $b link set vb up
  both "$fault" --resume
  [ "$(weights "$work/$fault")" = "$(weights "$work/whole")" ] || { echo "  OTHER WEIGHTS after $fault"; exit 1; }
  echo '  the weights are those of the undisturbed run, bitwise'
done
