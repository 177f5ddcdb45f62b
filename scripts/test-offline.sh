#!/bin/sh
# Runs the tests in a network namespace that has nothing but its own loopback: scripts/test-offline.sh [arguments of vitest]
# A test that needs a network fails here. Needs unshare and ip; as a user who is not root, user namespaces.
set -eu
cd "$(dirname "$0")/.."
rights=""
[ "$(id -u)" = 0 ] || rights="--map-root-user"
exec unshare --net $rights sh -c 'ip link set lo up && exec npx vitest run "$@"' sh "$@"
