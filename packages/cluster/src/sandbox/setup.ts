// Makes a sandbox: the image, one private network, a container for each node, keys by which they reach each other. If
// anything goes wrong on the way, everything that was made is taken away again.

import { bytes, ConfigError, formatBytes, InterruptedError } from "@atoll/core";
import { lockSetup } from "../locks.ts";
import { codeMounts, type Mount } from "./codeMounts.ts";
import { credentialMounts } from "./credentials.ts";
import type { Engine, RunOptions } from "./engine.ts";
import { type EngineFacts, engineFacts } from "./engineFacts.ts";
import { waitUntilHealthy } from "./health.ts";
import { buildImage, IMAGE, type ImageOptions, imageOf, removeImage } from "./image.ts";
import { listSandboxes, type Sandbox } from "./inspect.ts";
import { checkMountable, KEYS_MOUNT, keysDirectory, makeKeys } from "./keys.ts";
import {
  aliasesOf,
  checkName,
  containerName,
  LABELS,
  networkName,
  VOLUMES,
  type Volume,
  volumeName,
} from "./names.ts";
import { choosePorts, type PortRange } from "./ports.ts";
import { removeSandbox, volumesOf } from "./stop.ts";

export interface SetupOptions extends ImageOptions {
  readonly name: string;
  /** Of any number from 1 on; rank 0 is the master. */
  readonly nodes: number;
  /** "mount": the clone's sources, read-only, so that a change needs no new image. "bake": as they were copied. */
  readonly code: "mount" | "bake";
  /** The engine's notation: "2g". */
  readonly shmSize: string;
  /** "auto": passed through if the engine knows how to. */
  readonly gpus: "auto" | "all";
  /** The user's home directory if credentials are to be mounted from it. */
  readonly credentialsFrom?: string | undefined;
  /** A directory with data sets, mounted read-only. */
  readonly data?: string | undefined;
  /** The first of the ports for ssh; absent: the next free range. */
  readonly port?: number | undefined;
  /** The user's directory for state: keys are kept in it. */
  readonly stateDirectory: string;
  /** Told what is being done, in a line each. */
  readonly progress: (text: string) => void;
  /** Told what the nodes will lack, in a sentence each. */
  readonly warn: (sentence: string) => void;
}

/** What a node needs at least: a rank of the smallest model took 288 MB. */
const NODE_MEMORY = 300_000_000;
const DATA_MOUNT = "/data";

export async function setUpSandbox(
  engine: Engine,
  options: SetupOptions,
  { signal }: RunOptions = {},
): Promise<Sandbox> {
  const { name, nodes, progress } = options;
  checkName(name);
  const facts = await engineFacts(engine, { signal });
  checkMemory(nodes, facts);
  await using lock = await lockSetup(engine.name, name);
  if (lock === undefined)
    throw new ConfigError(
      `A sandbox "${name}" is being set up at this moment. Wait until it is there, or choose another --name.`,
    );
  await refuseTaken(engine, name, { signal });
  // Again below, as late as can be: others may take ports while an image is built.
  if (options.port !== undefined) await (await portsFor(engine, options, { signal }))[Symbol.asyncDispose]();
  const mounts = await mountsOf(options);

  progress(`Building the image ${IMAGE}; the first time takes a minute or so`);
  await buildImage(engine, name, options, { signal });
  // Results of an earlier sandbox of this name stay, whatever happens.
  const except = await claimName(engine, options).catch(async (error: unknown) => {
    await removeImage(engine, name);
    throw error;
  });
  try {
    progress(`Starting ${nodes === 1 ? "one node" : `${nodes} nodes`}`);
    await using ports = await portsFor(engine, options, { signal });
    await startNodes(engine, options, { facts, mounts, firstPort: ports.first });
    if (signal?.aborted) throw new InterruptedError("Interrupted: start the nodes.");
    progress("Waiting until all of them are healthy");
    const sandbox = await waitUntilHealthy(engine, name, { signal });
    // Whoever has interrupted it in the last moment has been told that it is taken away.
    if (signal?.aborted) throw new InterruptedError("Interrupted: wait until the nodes are healthy.");
    return sandbox;
  } catch (error) {
    await removeSandbox(engine, name, { stateDirectory: options.stateDirectory, volumes: true, except });
    throw error;
  }
}

/**
 * What is labelled with the name is this sandbox's from now on.
 *
 * @returns the volumes that an earlier one has left
 */
async function claimName(engine: Engine, { name, stateDirectory }: SetupOptions): Promise<readonly string[]> {
  const left = await volumesOf(engine, name);
  const labels = { [LABELS.sandbox]: name, [LABELS.state]: stateDirectory };
  await engine.run(`make the network ${networkName(name)}`, [
    ...["network", "create", ...labelFlags(labels), networkName(name)],
  ]);
  return left;
}

interface NodeParts {
  readonly facts: EngineFacts;
  /** Flags of the engine. */
  readonly mounts: readonly string[];
  readonly firstPort: number;
}

/** Not interrupted in the middle: what an engine has been asked for comes even if the client has gone. */
async function startNodes(
  engine: Engine,
  options: SetupOptions,
  { facts, mounts, firstPort }: NodeParts,
): Promise<void> {
  const { name, nodes, stateDirectory, credentialsFrom: from } = options;
  const { runFlags } = facts;
  for (const volume of Object.keys(VOLUMES) as Volume[]) await createVolume(engine, name, volume);
  const directory = keysDirectory(stateDirectory, name);
  await makeKeys(engine, { ...options, directory, sandbox: name, firstPort, runFlags });
  const credentials = from === undefined ? [] : await credentialMounts({ ...options, from, sandbox: name });
  const flags = [...runFlags, ...mounts, ...credentials.flatMap(mountFlag), ...commonFlags(options, facts)];
  await Promise.all(
    Array.from({ length: nodes }, (_, rank) =>
      startNode(engine, { name, rank, port: firstPort + rank, flags }),
    ),
  );
}

async function portsFor(
  engine: Engine,
  { nodes, port }: SetupOptions,
  options: RunOptions,
): Promise<PortRange> {
  return choosePorts(nodes, { asked: port, sandboxes: await listSandboxes(engine, undefined, options) });
}

function checkMemory(nodes: number, { memoryBytes }: EngineFacts): void {
  const most = Math.floor(memoryBytes / NODE_MEMORY);
  if (nodes <= most) return;
  const [each, has] = [NODE_MEMORY, memoryBytes].map((value) => formatBytes(bytes(value)));
  throw new ConfigError(
    `nodes: expected at most ${most}, got ${nodes}: a node needs ${each} of memory, and the engine has ${has}. Use fewer nodes, or simulate them: npx atoll train.`,
  );
}

/** Of this name: a sandbox, which is told apart from somebody else's container or network. */
async function refuseTaken(engine: Engine, name: string, options: RunOptions): Promise<void> {
  const [existing] = await listSandboxes(engine, name, options);
  if (existing)
    throw new ConfigError(
      `A sandbox "${name}" with ${existing.nodes.length} nodes is there already. Use it, end it with npx atoll sandbox stop --name ${name}, or choose another --name.`,
    );
}

/** Results of an earlier sandbox of this name are still in it. */
async function createVolume(engine: Engine, name: string, volume: Volume): Promise<void> {
  const volumeOf = volumeName(name, volume);
  const argv = ["volume", "create", "--label", `${LABELS.sandbox}=${name}`, volumeOf];
  await engine.run(`make the volume ${volumeOf}`, argv, { tolerate: /already exists/i });
}

interface NodeOptions {
  /** The sandbox's. */
  readonly name: string;
  readonly rank: number;
  /** For ssh. */
  readonly port: number;
  readonly flags: readonly string[];
}

async function startNode(engine: Engine, { name, rank, port, flags }: NodeOptions): Promise<void> {
  const container = containerName(name, rank);
  const labels = { [LABELS.sandbox]: name, [LABELS.rank]: rank, [LABELS.port]: port };
  const argv = [
    ...["run", "--detach", "--name", container, "--hostname", container],
    ...["--network", networkName(name)],
    ...aliasesOf(rank).flatMap((alias) => ["--network-alias", alias]),
    ...["--publish", `127.0.0.1:${port}:22`],
    ...labelFlags(labels),
    ...flags,
    imageOf(name),
  ];
  await engine.run(`start ${container}`, argv);
}

const labelFlags = (labels: Readonly<Record<string, string | number>>): readonly string[] =>
  Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);

function commonFlags(
  { name, shmSize, gpus, stateDirectory }: SetupOptions,
  facts: EngineFacts,
): readonly string[] {
  return [
    ...["--shm-size", shmSize],
    ...["--volume", `${keysDirectory(stateDirectory, name)}:${KEYS_MOUNT}:ro`],
    ...(Object.entries(VOLUMES) as [Volume, string][]).flatMap(([volume, path]) => [
      "--volume",
      `${volumeName(name, volume)}:${path}`,
    ]),
    // In the container's own network, for root and for the image's tc: it gives a node's links a network's conditions.
    ...["--cap-add", "NET_ADMIN"],
    // The ssh server is not root's, and listens on port 22.
    ...["--sysctl", "net.ipv4.ip_unprivileged_port_start=0"],
    ...facts.healthFlags,
    ...(gpus === "all" || facts.gpus ? facts.gpuFlags : []),
  ];
}

/** What the nodes see of this machine beside keys and credentials; all of it read-only. */
async function mountsOf({ clone, code, data, warn }: SetupOptions): Promise<readonly string[]> {
  const flags: string[] = [];
  if (code === "mount") {
    const { mounts, hiddenFiles, hiddenDirectories } = await codeMounts(clone);
    flags.push(...mounts.flatMap(mountFlag));
    flags.push(...hiddenFiles.flatMap((path) => mountFlag(["/dev/null", `/atoll/${path}`])));
    for (const path of hiddenDirectories)
      flags.push("--mount", `type=tmpfs,destination=/atoll/${path},tmpfs-size=1`);
    const hidden = [...hiddenFiles, ...hiddenDirectories];
    if (hidden.length > 0)
      warn(`The nodes see the clone's sources alone, and not ${hidden.sort().join(", ")}.`);
  }
  if (data !== undefined) flags.push(...mountFlag([data, DATA_MOUNT]), "--env", `ATOLL_DATA=${DATA_MOUNT}`);
  return flags;
}

const mountFlag = ([source, target]: Mount): readonly string[] => [
  "--volume",
  `${checkMountable(source)}:${target}:ro`,
];
