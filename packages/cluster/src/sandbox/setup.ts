// Makes a sandbox: the image, one private network, a container for each node, keys by which they reach each other. If
// anything goes wrong on the way, everything that was made is taken away again.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { bytes, ConfigError, formatBytes, InterruptedError } from "@atoll/core";
import type { Engine, RunOptions } from "./engine.ts";
import { type EngineFacts, engineFacts } from "./engineFacts.ts";
import { waitUntilHealthy } from "./health.ts";
import { buildImage, IMAGE, type ImageOptions } from "./image.ts";
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
import { choosePorts } from "./ports.ts";
import { removeSandbox, volumesOf } from "./stop.ts";

export interface SetupOptions extends ImageOptions {
  readonly name: string;
  /** Of any number from 1 on; rank 0 is the master. */
  readonly nodes: number;
  /** "mount": the directories of the clone, read-only, so that a change needs no new image. "bake": as they were copied. */
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
}

/** Those that exist in the home directory are mounted read-only. */
export const CREDENTIALS: readonly string[] = [".netrc", ".config", ".ssh", ".aws", ".metta"];

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
  await refuseTaken(engine, name, { signal });
  if (options.port !== undefined) await choosePorts(nodes, options.port);
  const mounts = await mountsOf(options);

  progress(`Building the image ${IMAGE}; the first time takes a minute or so`);
  await buildImage(engine, options, { signal });
  // Results of an earlier sandbox of this name stay, whatever happens.
  const except = await volumesOf(engine, name, { signal });
  // Nobody else has a network of that name after this, so what is labelled with it is this sandbox's.
  await engine.run(`make the network ${networkName(name)}`, [
    ...["network", "create", "--label", `${LABELS.sandbox}=${name}`, networkName(name)],
  ]);
  try {
    progress(`Starting ${nodes === 1 ? "one node" : `${nodes} nodes`}`);
    // As late as can be: others may take ports while an image is built.
    await startNodes(engine, options, facts, mounts, await choosePorts(nodes, options.port));
    if (signal?.aborted) throw new InterruptedError("Interrupted: start the nodes.");
    progress("Waiting until all of them are healthy");
    return await waitUntilHealthy(engine, name, { signal });
  } catch (error) {
    await removeSandbox(engine, name, { stateDirectory: options.stateDirectory, volumes: true, except });
    throw error;
  }
}

/** Not interrupted in the middle: what an engine has been asked for comes even if the client has gone. */
async function startNodes(
  engine: Engine,
  options: SetupOptions,
  facts: EngineFacts,
  mounts: readonly string[],
  firstPort: number,
): Promise<void> {
  const { name, nodes, stateDirectory } = options;
  for (const volume of Object.keys(VOLUMES) as Volume[]) await createVolume(engine, name, volume);
  const directory = keysDirectory(stateDirectory, name);
  await makeKeys(engine, { ...options, directory, sandbox: name, firstPort, runFlags: facts.runFlags });
  const flags = [...facts.runFlags, ...mounts, ...commonFlags(options, facts)];
  await Promise.all(
    Array.from({ length: nodes }, (_, rank) => startNode(engine, name, rank, firstPort + rank, flags)),
  );
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

async function startNode(
  engine: Engine,
  name: string,
  rank: number,
  port: number,
  flags: readonly string[],
): Promise<void> {
  const container = containerName(name, rank);
  const labels = { [LABELS.sandbox]: name, [LABELS.rank]: rank, [LABELS.port]: port };
  const argv = [
    ...["run", "--detach", "--name", container, "--hostname", container],
    ...["--network", networkName(name)],
    ...aliasesOf(rank).flatMap((alias) => ["--network-alias", alias]),
    ...["--publish", `127.0.0.1:${port}:22`],
    ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...flags,
    IMAGE,
  ];
  await engine.run(`start ${container}`, argv);
}

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

/** Everything of this machine that the nodes see; all of it read-only. */
async function mountsOf({ clone, code, credentialsFrom, data }: SetupOptions): Promise<readonly string[]> {
  const mounts: [source: string, target: string][] = [];
  // Directories, not files: editors replace files by new ones, which a mounted file would not follow. The image has the
  // dependencies for its own system.
  if (code === "mount")
    for (const entry of await readdir(clone, { withFileTypes: true }))
      if (
        entry.isDirectory() &&
        !entry.name.startsWith(".") &&
        !["node_modules", "runs"].includes(entry.name)
      )
        mounts.push([join(clone, entry.name), `/atoll/${entry.name}`]);
  if (credentialsFrom !== undefined)
    for (const credential of CREDENTIALS)
      if (await exists(join(credentialsFrom, credential)))
        mounts.push([join(credentialsFrom, credential), `/home/atoll/${credential}`]);
  if (data !== undefined) mounts.push([data, DATA_MOUNT]);
  return [
    ...mounts.flatMap(([source, target]) => ["--volume", `${checkMountable(source)}:${target}:ro`]),
    ...(data === undefined ? [] : ["--env", `ATOLL_DATA=${DATA_MOUNT}`]),
  ];
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;
