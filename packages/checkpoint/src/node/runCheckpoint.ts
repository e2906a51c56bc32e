// Checkpoints of a run, in `<run>/checkpoints/<step, 8 digits>/`: one safetensors file a node, or whatever else is
// saved apart, and a `state.json`. A file a node keeps memory at one node's tensors while a thousand nodes are read
// back, and each can be opened by itself. The directory is written aside and renamed, so what is there is complete.
// What tensors and state mean is the caller's business.

import { readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ConfigError, type ConfigValue, invariant, messageOf } from "@atoll/core";
import { decodeSafetensors, encodeSafetensors } from "../safetensors.ts";
import { type HostTensor, toHostTensor } from "../tensors.ts";
import { writeDirectoryAtomic } from "./files.ts";

/** Tensors by name. */
export type TensorFile = Readonly<Record<string, HostTensor>>;

export interface CheckpointContent {
  /** Tensors by file (without its extension, for example `node-0003`) and name. They are written as they lie in memory. */
  readonly tensors: Readonly<Record<string, TensorFile>>;
  /** Everything else, as JSON; numbers must be finite, since JSON has no others. */
  readonly state: ConfigValue;
}

export interface Checkpoint {
  readonly path: string;
  readonly step: number;
  readonly state: ConfigValue;
  /** The names of the tensor files. */
  readonly files: readonly string[];
  /**
   * Reads one tensor file.
   * @throws ConfigError that names the file if it is missing or damaged.
   */
  read(file: string): TensorFile;
}

/** The layout of `state.json`. */
interface StateFile {
  readonly format: 1;
  readonly step: number;
  /** The CRC-32 of each tensor file. */
  readonly files: Readonly<Record<string, number>>;
  readonly state: ConfigValue;
}

const STATE = "state.json";

/**
 * Saves a checkpoint and returns its path; one of the same step is replaced.
 * @param keepLast deletes all but this many of the run's newest checkpoints, this one included; default: keeps all
 * @throws ConfigError if the run directory cannot be written to; RunError if the disk is full or fails.
 */
export async function saveCheckpoint(
  runDirectory: string,
  step: number,
  { tensors, state }: CheckpointContent,
  { keepLast = Number.POSITIVE_INFINITY }: { readonly keepLast?: number } = {},
): Promise<string> {
  invariant(keepLast >= 1, `a checkpoint is kept once it is saved, got keepLast ${keepLast}`);
  const path = join(runDirectory, "checkpoints", String(step).padStart(8, "0"));
  const checksums: Record<string, number> = {};
  const contents = function* (): Generator<readonly [string, readonly Uint8Array[] | string]> {
    for (const [file, named] of Object.entries(tensors)) {
      const parts = encodeSafetensors(named, { step: String(step) });
      checksums[file] = parts.reduce((sum, part) => crc32(part, sum), 0);
      yield [`${file}.safetensors`, parts];
    }
    const content: StateFile = { format: 1, step, files: checksums, state };
    yield [STATE, `${JSON.stringify(content, finite)}\n`];
  };
  await writeDirectoryAtomic(path, contents());
  const outdated = listCheckpoints(runDirectory).slice(0, -keepLast);
  for (const old of outdated) if (old !== path) await rm(old, { recursive: true, force: true });
  return path;
}

function finite(key: string, value: unknown): unknown {
  if (typeof value === "number")
    invariant(Number.isFinite(value), `state "${key}" is ${value}, which JSON cannot hold`);
  return value;
}

/** The path of a run's newest checkpoint, if it has any. */
export function latestCheckpoint(runDirectory: string): string | undefined {
  return listCheckpoints(runDirectory).at(-1);
}

/** The paths of a run's checkpoints, oldest first; each ends in its step. */
export function listCheckpoints(runDirectory: string): readonly string[] {
  const directory = join(runDirectory, "checkpoints");
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw new ConfigError(`Cannot look for checkpoints in ${directory}: ${messageOf(cause)}.`, cause);
  }
  return names
    .filter((name) => /^\d{8,}$/.test(name))
    .sort((a, b) => Number(a) - Number(b))
    .map((name) => join(directory, name));
}

/**
 * Opens a checkpoint; its tensors are read file by file. It is read at once, without waiting for other work: nothing
 * else goes on while a run is restored.
 * @throws ConfigError that names the file if it is missing or damaged.
 */
export function loadCheckpoint(path: string): Checkpoint {
  const { step, state, files } = parseState(join(path, STATE));
  return {
    path,
    step,
    state,
    files: Object.keys(files),
    read: (file) => readTensors(join(path, `${file}.safetensors`), files[file]),
  };
}

function parseState(path: string): StateFile {
  const text = readOrExplain(path).toString("utf8");
  let content: Partial<StateFile> | null;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, `expected JSON, got text that is none (${messageOf(cause)})`, cause);
  }
  if (typeof content !== "object" || content === null || content.format !== 1)
    throw damaged(path, `expected format 1, got ${JSON.stringify(content?.format)}`);
  const { step, files, state } = content;
  if (!Number.isSafeInteger(step) || typeof files !== "object" || state === undefined)
    throw damaged(path, "expected step, files and state, got not all of them");
  return content as StateFile;
}

function readTensors(path: string, checksum: number | undefined): TensorFile {
  invariant(checksum !== undefined, `${path} is not part of its checkpoint`);
  const bytes = readOrExplain(path);
  const { tensors } = decodeSafetensors(bytes, path);
  const found = crc32(bytes);
  if (found !== checksum)
    throw damaged(path, `expected CRC-32 ${checksum} over its ${bytes.length} bytes, got ${found}`);
  const named = Object.entries(tensors).map(([name, tensor]): [string, HostTensor] => [
    name,
    toHostTensor(tensor, `${path}, tensor "${name}"`),
  ]);
  return Object.fromEntries(named);
}

function readOrExplain(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    if (isMissing(cause)) throw damaged(path, "the file is missing", cause);
    throw new ConfigError(`Cannot read ${path}: ${messageOf(cause)}.`, cause);
  }
}

const damaged = (path: string, what: string, cause?: unknown): ConfigError =>
  new ConfigError(`Damaged checkpoint: ${path}: ${what}. Go on from an earlier checkpoint.`, cause);

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
