// Sandboxes for tests, on the machine's own engine: real containers, or a line that says why there are none.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "@atoll/core";
import { capture } from "../exec/capture.ts";
import { exec } from "../exec/exec.ts";
import { type Engine, findEngine } from "../sandbox/engine.ts";
import type { SetupOptions } from "../sandbox/setup.ts";

const clone = fileURLToPath(new URL("../../../..", import.meta.url)).replace(/\/$/, "");
const { ATOLL_BASE_IMAGE: baseImage } = process.env;

/** The engine with the base image, or undefined after one line about what is skipped. */
export async function engineOrSkip(what: string): Promise<Engine | undefined> {
  try {
    const engine = await findEngine({ exec, environment: process.env });
    const image = baseImage ?? "node:24-bookworm-slim";
    const { outcome } = await engine.try(["image", "inspect", image]);
    if (outcome.kind !== "exited" || outcome.code !== 0)
      await engine.run("pull the base image", ["pull", image]);
    return engine;
  } catch (error) {
    process.stderr.write(`Skipped: ${what}. ${messageOf(error)}\n`);
    return undefined;
  }
}

export interface TestSandboxes extends AsyncDisposable {
  readonly stateDirectory: string;
  /** A name that no other test has. */
  readonly name: (suffix: string) => string;
  options(suffix: string, changes?: Partial<SetupOptions>): SetupOptions;
  /** What the engine has of these names: containers, networks, volumes. */
  leftovers(): Promise<readonly string[]>;
}

export async function testSandboxes(engine: Engine): Promise<TestSandboxes> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "atoll-sandboxes-"));
  const prefix = `t${process.pid}`;
  const name = (suffix: string): string => `${prefix}-${suffix}`;
  const leftovers = async (): Promise<readonly string[]> => {
    const lists = await Promise.all([
      engine.run("list", ["ps", "--all", "--format", "{{.Names}}"]),
      engine.run("list", ["network", "ls", "--format", "{{.Name}}"]),
      engine.run("list", ["volume", "ls", "--format", "{{.Name}}"]),
    ]);
    return lists.flatMap((list) => list.split("\n")).filter((each) => each.includes(`-${prefix}-`));
  };
  return {
    stateDirectory,
    name,
    options: (suffix, changes) => ({
      clone,
      baseImage,
      userId: process.getuid!() || 1000,
      groupId: process.getgid!() || 1000,
      name: name(suffix),
      nodes: 3,
      code: "mount",
      shmSize: "64m",
      gpus: "auto",
      stateDirectory,
      progress: () => {},
      warn: () => {},
      ...changes,
    }),
    leftovers,
    async [Symbol.asyncDispose]() {
      for (const left of await leftovers()) {
        await engine.try(["rm", "--force", "--volumes", left]);
        await engine.try(["network", "rm", left]);
        await engine.try(["volume", "rm", left]);
      }
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
}

export interface NodeOutput {
  readonly code: number;
  readonly output: string;
}

/** Runs a shell command on a node, as whoever works there. */
export async function onNode(engine: Engine, container: string, command: string): Promise<NodeOutput> {
  const { outcome, stdout, stderr } = await engine.try(["exec", container, "bash", "-c", command]);
  return { code: outcome.kind === "exited" ? outcome.code : -1, output: `${stdout}\n${stderr}`.trim() };
}

/** Runs a program of this machine. */
export async function here(program: string, argv: readonly string[]): Promise<NodeOutput> {
  const { outcome, stdout, stderr } = await capture(exec, program, argv, { environment: process.env });
  return { code: outcome.kind === "exited" ? outcome.code : -1, output: `${stdout}\n${stderr}`.trim() };
}
