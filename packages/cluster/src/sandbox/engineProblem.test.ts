// Complaints of real engines, as they were printed, and what is made of them.

import { expect, test } from "vitest";
import { engineProblem } from "./engineProblem.ts";

const lookup =
  'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host';

test.each([
  [
    "Cannot connect to the Docker daemon at unix:///nowhere.sock. Is the docker daemon running?",
    /^the engine does not answer: start the engine \(systemctl start docker, .*set DOCKER_HOST\.$/,
  ],
  [
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/version": dial unix /var/run/docker.sock: connect: permission denied',
    /^the engine is not permitted: .*group docker .*as root\.$/,
  ],
  [
    "docker: Error response from daemon: driver failed programming external connectivity on endpoint pp2 (b83131): Bind for 127.0.0.1:22001 failed: port is already allocated\n\nRun 'docker run --help' for more information",
    /^port 22001 is taken: /,
  ],
  [
    "docker: Error response from daemon: driver failed programming external connectivity on endpoint a (1f): Error starting userland proxy: listen tcp4 127.0.0.1:22007: bind: address already in use.",
    /^port 22007 is taken: /,
  ],
  ["Error: rootlessport listen tcp 127.0.0.1:22009: bind: address already in use", /^port 22009 is taken: /],
  [
    'docker: Error response from daemon: Conflict. The container name "/atoll-a-0" is already in use by container "eb6c67". You have to remove (or rename) that container to be able to reuse that name.',
    /^there is a container "atoll-a-0" already: choose another --name, or remove it with docker rm -f atoll-a-0\.$/,
  ],
  [
    "Error response from daemon: network with name atoll-a already exists",
    /^there is a network "atoll-a" already: .*docker network rm atoll-a\.$/,
  ],
  [
    "docker: Error response from daemon: could not select device driver \"\" with capabilities: [[gpu]]\n\nRun 'docker run --help' for more information",
    /^the engine cannot pass GPUs on: install the NVIDIA Container Toolkit/,
  ],
  [lookup, /^the base image is not on this machine and cannot be pulled: /],
  [
    "Error response from daemon: manifest for node:99-slim not found: manifest unknown: manifest unknown",
    /^the base image is not on this machine and cannot be pulled: /,
  ],
  [
    "pull access denied for nothing, repository does not exist or may require 'docker login': denied",
    /^the base image is not on this machine and cannot be pulled: /,
  ],
  [
    "Error: runc: runc create failed: unable to start container process: error during container init: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted: OCI permission denied",
    /^the engine may not raise limits on this machine, .* into \/etc\/containers\/containers\.conf\.$/,
  ],
  ["write /var/lib/docker/tmp/x: no space left on device", /^the engine's disk is full: /],
  [
    "Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
    /^the engine has no subnet left: /,
  ],
  [
    "docker: Error response from daemon: something new\n\nRun 'docker run --help' for more information",
    /^docker says: docker: Error response from daemon: something new\.$/,
  ],
  ["", /^docker ended with code 1 and says nothing\.$/],
])("%s", (words, meaning) => {
  expect(engineProblem("docker", words, "ended with code 1")).toMatch(meaning);
});
