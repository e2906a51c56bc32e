#!/usr/bin/env bash
# train.sh EXPERIMENT [key=value …]: trains across three nodes. Runs on atoll-node1: rank 0 is here, the others are started
# by ssh with the same command, as on any cluster that ssh reaches.
set -euo pipefail
cd /atoll

# The ranks know each other by a secret that no list of processes shows: it goes through standard input.
ATOLL_TOKEN=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export ATOLL_TOKEN
master=$(hostname)

workers=()
for rank in 1 2; do
  ssh "atoll-node$((rank + 1))" "cd /atoll && read -r ATOLL_TOKEN && export ATOLL_TOKEN &&
    exec atoll-logged atoll node $(printf '%q ' "$@") --nnodes 3 --node_rank $rank --master_addr $master --master_port 29500" <<<"$ATOLL_TOKEN" &
  workers+=("$!")
done
atoll-logged atoll node "$@" --nnodes 3 --node_rank 0 --master_addr "$master" --master_port 29500
for worker in "${workers[@]}"; do wait "$worker"; done
