// What a container engine's complaint means and what to do about it, as the end of a sentence. Docker and podman word the
// same trouble differently, and versions of one do, too: each entry was seen, or is in the source of one of them.

import { lastLine } from "../exec/probe.ts";
import { DOCKER, type EngineName } from "./enginePrograms.ts";

interface KnownProblem {
  readonly seen: RegExp;
  /** @param words the pattern's match: its groups may name what it is about */
  meaning(words: RegExpExecArray, engine: EngineName): string;
}

const KNOWN: readonly KnownProblem[] = [
  {
    seen: /permission denied while trying to connect|dial unix \S+: connect: permission denied/i,
    meaning: () => `the engine is not permitted: ${repairOfDocker("permission denied")}.`,
  },
  {
    seen: /cannot connect to the docker daemon|is the docker daemon running|cannot connect to podman/i,
    meaning: (_, engine) =>
      engine === "docker"
        ? `the engine does not answer: ${repairOfDocker("")}.`
        : "the engine does not answer: on macOS, run podman machine start.",
  },
  {
    seen: /(?:Bind for|listen tcp4?|proxy: listen tcp4?) \S*?:(\d+)(?:: bind| failed)?:.*(?:already allocated|already in use)|:(\d+).*(?:already allocated|address already in use)/i,
    meaning: ([, first, second]) =>
      `port ${first ?? second} is taken: end what has it, or set the sandbox up with another --port, or with none for the next free range.`,
  },
  {
    seen: /container name "?\/?([\w.-]+)"? is already in use/i,
    meaning: ([, name], engine) =>
      `there is a container "${name}" already: choose another --name, or remove it with ${engine} rm -f ${name}.`,
  },
  {
    seen: /network with name (\S+) already exists|network name (\S+) already used/i,
    meaning: ([, first, second], engine) =>
      `there is a network "${first ?? second}" already: choose another --name, or remove it with ${engine} network rm ${first ?? second}.`,
  },
  {
    seen: /could not select device driver|unresolvable CDI devices|nvidia-container-cli/i,
    meaning: () =>
      "the engine cannot pass GPUs on: install the NVIDIA Container Toolkit and restart the engine, or leave --gpus away.",
  },
  {
    seen: /all predefined address pools have been fully subnetted|non-overlapping IPv4 address pool|could not find free subnet/i,
    meaning: (_, engine) =>
      `the engine has no subnet left: remove unused networks with ${engine} network prune.`,
  },
  {
    seen: /error setting rlimits?\b.*operation not permitted/i,
    meaning: () =>
      'the engine may not raise limits on this machine, which lacks CAP_SYS_RESOURCE: put default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"] under [containers] into /etc/containers/containers.conf.',
  },
  {
    seen: /no space left on device/i,
    meaning: (_, engine) => `the engine's disk is full: ${engine} system prune frees what nothing uses.`,
  },
  {
    seen: /pull access denied|manifest(?: for \S+)? (?:not found|unknown)|(?:lookup|dial tcp).*(?:no such host|timeout|refused|unreachable|server misbehaving)|TLS handshake timeout|unable to (?:find|copy from source).*image|name did not resolve/i,
    meaning: () =>
      "the base image is not on this machine and cannot be pulled: check its name and the network, or name one that is here with --base-image (docs/sandbox.md says how to make one without a registry).",
  },
];

/**
 * @param words what the client printed on standard error
 * @param ending how it ended, for a client that says nothing
 */
export function engineProblem(engine: EngineName, words: string, ending: string): string {
  for (const { seen, meaning } of KNOWN) {
    const match = seen.exec(words);
    if (match) return meaning(match, engine);
  }
  // Some versions end with advice about --help.
  const said = lastLine(words.replace(/^Run '.*--help' for more information\.?$/gm, ""));
  return said === ""
    ? `${engine} ${ending} and says nothing.`
    : `${engine} says: ${said.replace(/[.\s]*$/, ".")}`;
}

const repairOfDocker = (output: string): string =>
  typeof DOCKER.howToRepair === "string" ? DOCKER.howToRepair : DOCKER.howToRepair(output);
