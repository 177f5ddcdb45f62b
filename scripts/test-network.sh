#!/usr/bin/env bash
# Several machines as network namespaces with addresses of their own on one bridge, one rank each. In the middle of a run
# something fails; what each machine prints is shown with the seconds since then. The run is resumed afterwards, and its
# weights are compared with those of a run that nobody disturbed. Needs root and iproute2.
#
#   scripts/test-network.sh [RANKS] [FAULT...]      default 2 ranks, all faults:
#
#   kill      the last rank is ended by kill -9
#   stop      the last rank is stopped by SIGSTOP
#   cut       the network of the last machine goes down
#   hang      the last rank computes for ever
#   first     rank 0 is ended by kill -9
#   machine   everything on machine 0, which has the store, is ended by kill -9
#   launcher  the last machine's srrl launch is ended by kill -9
set -euo pipefail
cd "$(dirname "$0")/.."
ranks=2
if [[ ${1:-} =~ ^[0-9]+$ ]]; then ranks=$1; shift; fi
[ $# -gt 0 ] || set -- kill stop cut hang first machine launcher
last=$((ranks - 1))
timeout=${SECONDS_TO_WAIT:-10}
work=$(mktemp -d)
id=$$
space() { echo "srrl-$id-$1"; }
finish() {
  for ((m = 0; m < ranks; m++)); do
    ip netns pids "$(space $m)" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
    ip netns del "$(space $m)" 2>/dev/null || true
  done
  ip netns del "$(space bridge)" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
ip netns add "$(space bridge)"
ip -n "$(space bridge)" link add bridge type bridge
ip -n "$(space bridge)" link set bridge up
for ((m = 0; m < ranks; m++)); do
  ip netns add "$(space $m)"
  ip link add eth netns "$(space $m)" type veth peer name port$m netns "$(space bridge)"
  ip -n "$(space bridge)" link set port$m master bridge up
  ip -n "$(space $m)" addr add 10.77.0.$((m + 1))/24 dev eth
  ip -n "$(space $m)" link set lo up
  ip -n "$(space $m)" link set eth up
done

began() { cat "$work/began" 2>/dev/null || date +%s; }
# machine NUMBER OUT [OPTIONS...]: the launcher of one machine, with the seconds since the fault before what it prints.
machine() {
  local number=$1 out=$2
  shift 2
  SRRL_HANG="$work/now" OMP_NUM_THREADS=1 ip netns exec "$(space "$number")" \
    node bin/srrl.js launch --nproc 1 --nnodes "$ranks" --node-rank "$number" --master 10.77.0.1:29500 --timeout $timeout -- \
    distill --data 'shapes:120?test=40' --teacher assets/shapes-teacher.pt --student module:test/distributed/hanging-student.mjs \
    --epochs 6 --batch-size 24 --checkpoint-steps 5 --out "$work/$out" "$@" 2>&1 |
    stdbuf -o0 tr '\r' '\n' | grep --line-buffered -E 'srrl:|Rank|rank|resumed|Stopped|student: [0-9]' |
    while read -r line; do echo "  $(($(date +%s) - $(began))) s, machine $number: $line"; done
}
all() {
  local m running=()
  for ((m = 0; m < ranks; m++)); do machine $m "$@" & running+=($!); done
  wait "${running[@]}" || true
}
# Processes of a machine whose command line has a text.
processes() {
  for pid in $(ip netns pids "$(space "$1")"); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "$2"; then echo "$pid"; fi
  done
}
# All but the metadata, which hold the time.
weights() { tail -c +"$(($(od -An -N8 -tu8 "$1/student.safetensors") + 9))" "$1/student.safetensors" | sha256sum; }

echo "$ranks ranks, undisturbed:"
all whole
for fault in "$@"; do
  echo "$ranks ranks, $fault:"
  rm -f "$work/began"
  all "$fault" 2>/dev/null &
  run=$!
  until ls "$work/$fault"/checkpoint-*10.safetensors >/dev/null 2>&1; do
    kill -0 $run 2>/dev/null || { echo '  the run ended too early: is the machine too busy for SECONDS_TO_WAIT (10)?'; exit 1; }
    sleep 0.1
  done
  case $fault in
    kill) kill -9 $(processes $last 'srrl.js distill') ;;
    stop) kill -STOP $(processes $last 'srrl.js distill') ;;
    cut) ip -n "$(space $last)" link set eth down ;;
    hang) touch "$work/now" ;;
    first) kill -9 $(processes 0 'srrl.js distill') ;;
    machine) kill -9 $(processes 0 'srrl.js') ;;
    launcher) kill -9 $(processes $last 'srrl.js launch') ;;
    *) echo "there is no fault $fault" && exit 1 ;;
  esac
  date +%s >"$work/began"
  wait $run
  rm -f "$work/now"
  echo "  $(($(date +%s) - $(began))) s: all have ended"
  for ((m = 0; m < ranks; m++)); do
    [ -z "$(ip netns pids "$(space $m)")" ] || { echo "  machine $m: PROCESSES ARE LEFT: $(ip netns pids "$(space $m)")"; exit 1; }
  done
  [ "$fault" != cut ] || ip -n "$(space $last)" link set eth up
  date +%s >"$work/began"
  echo '  resumed:'
  all "$fault" --resume
  [ "$(weights "$work/$fault")" = "$(weights "$work/whole")" ] || { echo "  OTHER WEIGHTS after $fault"; exit 1; }
  echo '  the weights are those of the undisturbed run, bitwise'
done
