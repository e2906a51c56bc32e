// The container engines that sandboxes can be made with, how each is asked whether it serves, and what to do if it does
// not: the sentences of doctor and of the sandbox commands.

import type { Program } from "../exec/probe.ts";

export type EngineName = "docker" | "podman";

export interface EngineProgram extends Program {
  readonly name: EngineName;
}

export const DOCKER: EngineProgram = {
  name: "docker",
  // The server's version: a client without an engine is of no use.
  argv: ["version", "--format", "{{.Server.Version}}"],
  howToGet:
    "on Debian and Ubuntu: apt-get install docker.io; on macOS: Docker Desktop from docker.com; or podman instead",
  howToRepair: (output) =>
    /permission denied/i.test(output)
      ? "you may not use its socket: add yourself to the group docker (sudo usermod -aG docker $USER) and log in again, or work as root"
      : "start the engine (systemctl start docker, dockerd as root, or Docker Desktop); if it runs elsewhere, set DOCKER_HOST",
};

export const PODMAN: EngineProgram = {
  name: "podman",
  argv: ["info", "--format", "{{.Version.Version}}"],
  howToGet: "on Debian and Ubuntu: apt-get install podman; on macOS: brew install podman; or docker instead",
  howToRepair: "run podman info, which says what it lacks; on macOS: podman machine start",
};

/** In the order in which they are tried. */
export const ENGINE_PROGRAMS: readonly EngineProgram[] = [DOCKER, PODMAN];
