#!/usr/bin/env bash
# run.sh docker|compose: runs one way of README.md, its commands exactly as they are written there. Ends with 1 if one fails;
# what it has started is taken away in any case.
set -euo pipefail
cd "$(dirname "$0")/../.."
case ${1:-} in
  docker) heading="## With docker commands" ;;
  compose) heading="## With compose" ;;
  *) echo "Usage: examples/three-nodes/run.sh docker|compose" >&2 && exit 2 ;;
esac

commands=$(awk -v heading="$heading" '
  /^## / { here = ($0 == heading) }
  /^ *```/ { inside = here && /```sh$/; next }
  inside { sub(/^   /, ""); print }
' examples/three-nodes/README.md)
[ -n "$commands" ]

for port in 22001 22002 22003; do
  if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "run.sh: port $port is taken, and the guide publishes ssh there: end what has it, such as a sandbox (npx atoll sandbox status)" >&2
    exit 1
  fi
done

# Debian has compose as a program of its own.
docker() {
  if [ "$1" = compose ] && ! command docker compose version >/dev/null 2>&1; then
    shift
    docker-compose "$@"
  else
    command docker "$@"
  fi
}
clean_up() {
  command docker rm -f atoll-node1 atoll-node2 atoll-node3
  docker compose -f docker/compose.yaml --profile three-nodes down --volumes
  command docker network rm atoll-three
  command docker volume rm atoll-three-keys atoll-three-runs
}
trap 'clean_up >/dev/null 2>&1 || true' EXIT
set -x
eval "$commands"
