#!/usr/bin/env bash
# A container engine for the tests, on Debian as root, where no image can be pulled:
#
#   eval "$(docker/test-engine.sh start DIRECTORY)"   installs what is missing, starts dockerd, makes the base image
#   docker/test-engine.sh stop DIRECTORY              ends it and removes everything that it has made
#
# start prints the variables that point tests at it: DOCKER_HOST, and ATOLL_BASE_IMAGE. The engine keeps its data, its
# socket and its bridge apart from any other engine of the machine; an engine that answers already is used as it is.
# The base image is Debian with the clone's own Node, imported under the name of the image that docker/Dockerfile expects.
# Making it takes about a minute, so its file system stays in /var/tmp for the next time.
set -euo pipefail
clone=$(cd "$(dirname "$0")/.." && pwd)
image=${ATOLL_BASE_IMAGE:-node:24-bookworm-slim}
suite=bookworm
mirror=http://deb.debian.org/debian
npm_version=11.19.1

log() { echo "test-engine: $*" >&2; }

install_packages() {
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  command -v ip >/dev/null || missing+=(iproute2)
  [ ${#missing[@]} -gt 0 ] || return 0
  log "installing ${missing[*]}"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2
}

# A subnet of the engine's own; docker0 may be another engine's.
add_bridge() {
  local i
  for i in $(seq 0 255); do
    ip -4 route show 10.213."$i".0/24 | grep -q . && continue
    ip link add "$1" type bridge
    ip address add 10.213."$i".1/24 dev "$1"
    return
  done
  log "no free subnet in 10.213.0.0/16" && return 1
}

start_engine() {
  local directory=$1 bridge
  mkdir -p "$directory"
  bridge=atoll$(basename "$directory" | cksum | cut -d' ' -f1)
  bridge=${bridge:0:15}
  ip link show "$bridge" >/dev/null 2>&1 || add_bridge "$bridge"
  echo "$bridge" >"$directory/bridge"
  # Standard input closed and a session of its own: it outlives this script and hears nothing of its terminal.
  setsid dockerd --data-root "$directory/data" --exec-root "$directory/exec" --pidfile "$directory/pid" \
    --host "unix://$directory/docker.sock" --bridge "$bridge" >"$directory/log" 2>&1 </dev/null &
  local engine=$! deadline=$((SECONDS + 120))
  export DOCKER_HOST="unix://$directory/docker.sock"
  until answers docker || answers /usr/bin/docker; do
    if ! kill -0 "$engine" 2>/dev/null || [ "$SECONDS" -gt "$deadline" ]; then
      log "dockerd does not start:"
      tail -20 "$directory/log" >&2
      return 1
    fi
    sleep 0.1
  done
  # A client that came by other ways than the engine may be too new for it, or none at all: then Debian's goes first.
  mkdir -p "$directory/bin"
  answers docker || use_debians_client "$directory/bin"
}

answers() { "$1" version >/dev/null 2>&1; }

use_debians_client() {
  ln -sf /usr/bin/docker "$1/docker"
  export PATH="$1:$PATH"
  echo "export PATH=$1:\$PATH"
}

# The root file system of the base image, as a tar file.
make_base() {
  local target=$1 work
  work=$(mktemp -d /var/tmp/atoll-base.XXXXXX)
  log "making a base image of Debian $suite and Node (once, about a minute)"
  if ! debootstrap --variant=minbase --include=ca-certificates,iproute2,openssh-client,openssh-server,procps \
    "$suite" "$work/root" "$mirror" >"$work/log" 2>&1; then
    tail -20 "$work/log" >&2
    rm -rf "$work"
    return 1
  fi
  rm -rf "$work"/root/{var/cache/apt,var/lib/apt/lists,usr/share/doc,usr/share/man,usr/share/locale,var/log}/*
  rm -f "$work"/root/etc/ssh/ssh_host_* "$work"/root/etc/{resolv.conf,hostname}
  # Registries behind the machine's own certificate authorities are behind them for containers, too.
  cp /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/"
  install -m 755 "$clone/node_modules/node/bin/node" "$work/root/usr/local/bin/node"
  npm install --silent --global --prefix "$work/root/usr/local" "npm@$npm_version" >&2
  chroot "$work/root" useradd --create-home --shell /bin/bash --uid 1000 node
  tar -C "$work/root" -cf "$work/image.tar" .
  mv "$work/image.tar" "$target"
  rm -rf "$work"
}

provide_image() {
  local key
  docker image inspect "$image" >/dev/null 2>&1 && return 0
  docker pull --quiet "$image" >/dev/null 2>&1 && return 0
  # A change in how it is made, or in what goes into it, is another image.
  key=$({ declare -f make_base; echo "$suite $npm_version"; cat /etc/ssl/certs/ca-certificates.crt; "$clone/node_modules/node/bin/node" --version; uname -m; } |
    sha256sum | cut -c1-12)
  if [ ! -f "/var/tmp/atoll-base-$key.tar" ]; then
    command -v debootstrap >/dev/null || install_packages
    make_base "/var/tmp/atoll-base-$key.tar"
  fi
  docker import --change 'CMD ["node"]' --change 'ENV NODE_USE_SYSTEM_CA=1' "/var/tmp/atoll-base-$key.tar" "$image" >/dev/null
}

start() {
  if ! docker version >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] || { log "no engine answers, and starting one takes root" && return 1; }
    install_packages
    start_engine "$1"
  fi
  provide_image
  [ -z "${DOCKER_HOST:-}" ] || echo "export DOCKER_HOST=$DOCKER_HOST"
  echo "export ATOLL_BASE_IMAGE=$image"
}

stop() {
  local directory=$1 pid bridge mount
  [ -f "$directory/bridge" ] || return 0
  if pid=$(cat "$directory/pid" 2>/dev/null) && kill "$pid" 2>/dev/null; then
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  fi
  while read -r mount; do umount --lazy "$mount"; done < <(findmnt -rno TARGET | grep -F "$directory/" | sort -r)
  bridge=$(cat "$directory/bridge")
  for table in filter nat; do
    iptables -t "$table" -S | grep -w -- "$bridge" | sed 's/^-A/-D/' |
      while read -ra rule; do iptables -t "$table" "${rule[@]}"; done
  done
  ip link delete "$bridge"
  rm -rf "$directory"
}

case ${1:-}:${2:+directory} in
  start:directory) start "$(realpath -m "$2")" ;;
  stop:directory) stop "$(realpath -m "$2")" ;;
  *)
    echo "Usage: docker/test-engine.sh start|stop DIRECTORY" >&2
    exit 2
    ;;
esac
