// The image that nodes run: docker/Dockerfile of the clone, built each time, since that costs a second when nothing has
// changed. Images that newer ones have taken the place of are removed: Atoll's own, by their label, and no others.

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { InterruptedError, RunError } from "@atoll/core";
import type { Captured } from "../exec/capture.ts";
import { describeExit } from "../exitReason.ts";
import type { Engine, RunOptions } from "./engine.ts";
import { engineProblem } from "./engineProblem.ts";
import { makePrivateDirectory } from "./keys.ts";
import { LABELS } from "./names.ts";

export const IMAGE = "atoll/train:latest";

export interface ImageOptions {
  /** The root of the clone: the build's context. */
  readonly clone: string;
  /** Absent: the Dockerfile's own choice. */
  readonly baseImage?: string | undefined;
  /** Numbers of the image's user: whoever owns the files that are mounted. */
  readonly userId: number;
  readonly groupId: number;
}

/** How much of a build's output helps to see why it failed. */
const LINES_SHOWN = 15;

/**
 * @param directory made for the id's file, and removed: of the sandbox, so that nothing is left if this process is killed
 * @returns the image's id: its name may be another image's a moment later, such as another clone's
 */
export async function buildImage(
  engine: Engine,
  directory: string,
  options: ImageOptions,
  { signal }: RunOptions = {},
): Promise<string> {
  const before = new Set([...(await danglingImages(engine)), ...(await imageIds(engine, [IMAGE]))]);
  await makePrivateDirectory(directory);
  try {
    const idFile = join(directory, "id");
    const built = await engine.try(buildArgv(engine, options, idFile), { signal });
    refuseFailure(engine, built);
    const used = usedBy(built);
    const old = (await danglingImages(engine)).filter(
      (id) => before.has(id) && !used.some((start) => bare(id).startsWith(start)),
    );
    await removeImages(engine, old);
    return (await readFile(idFile, "utf8")).trim();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function buildArgv(
  engine: Engine,
  { clone, baseImage, userId, groupId }: ImageOptions,
  idFile: string,
): readonly string[] {
  const values = {
    USER_ID: userId,
    GROUP_ID: groupId,
    ...(baseImage === undefined ? {} : { BASE_IMAGE: baseImage }),
  };
  return [
    "build",
    // Podman's own format of images has no health checks.
    ...(engine.name === "podman" ? ["--format", "docker"] : []),
    ...[
      "--file",
      join(clone, "docker", "Dockerfile"),
      "--target",
      "train",
      "--tag",
      IMAGE,
      "--iidfile",
      idFile,
    ],
    ...Object.entries(values).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
    clone,
  ];
}

function refuseFailure(engine: Engine, { outcome, stdout, stderr }: Captured): void {
  if (outcome.kind === "exited" && outcome.code === 0) return;
  if (outcome.kind === "cancelled") throw new InterruptedError("Interrupted: build the image.");
  const ending =
    outcome.kind === "missing" || outcome.kind === "failed" ? "cannot be started" : describeExit(outcome);
  // The older builder prints the steps' output on standard output, BuildKit all of it on standard error.
  const shown = `${stdout}\n${stderr}`.trim().split("\n").slice(-LINES_SHOWN).join("\n");
  throw new RunError(
    `Cannot build the image ${IMAGE}: ${engineProblem(engine.name, stderr, ending)} The end of its output:\n${shown}`,
  );
}

/**
 * The images that a build was made of, by the beginnings of their ids: docker's older builder and podman keep the stages'
 * images, which are the next build's cache, without a name.
 */
const usedBy = ({ stdout, stderr }: Captured): readonly string[] =>
  [...`${stdout}\n${stderr}`.matchAll(/^ *-{2,3}> (?:Using cache )?([0-9a-f]{11,64})$/gm)].map(
    ([, id]) => id!,
  );

const bare = (id: string): string => id.replace(/^sha256:/, "");

/** Ours that have no name any more and that no other image is made of. */
async function danglingImages(engine: Engine): Promise<readonly string[]> {
  const filters = ["--filter", "dangling=true", "--filter", `label=${LABELS.image}`];
  return lines(await engine.run("list images", ["images", "--quiet", "--no-trunc", ...filters]));
}

/** Of those that are there. */
async function imageIds(engine: Engine, names: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await engine.try(["image", "inspect", "--format", "{{.Id}}", ...names]);
  return lines(stdout).map((id) => `sha256:${bare(id)}`);
}

/** Those of them that only their containers have kept: a sandbox that runs when its code changes keeps the old image. */
export async function removeOldImages(engine: Engine, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const ours = new Set(ids.map(bare));
  await removeImages(
    engine,
    (await danglingImages(engine)).filter((id) => ours.has(bare(id))),
  );
}

/** One at a time, since one that a container needs does not keep the others. */
async function removeImages(engine: Engine, ids: readonly string[]): Promise<void> {
  const tolerate = /in use|being used|used by|conflict|no such image|image not known/i;
  for (const id of ids) await engine.run("remove an old image", ["image", "rm", id], { tolerate });
}

const lines = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");
