// The image that nodes run: docker/Dockerfile of the clone, built each time, since that costs a second when nothing has
// changed, one at a time on this machine. Images that newer ones have taken the place of are removed: Atoll's own, by their label, and no others.

import { join } from "node:path";
import { InterruptedError, RunError } from "@atoll/core";
import type { Captured } from "../exec/capture.ts";
import { describeExit } from "../exitReason.ts";
import { lockBuild } from "../locks.ts";
import type { Engine, RunOptions } from "./engine.ts";
import { engineProblem } from "./engineProblem.ts";
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

/** Of one sandbox alone: another clone's, or one of other code, is not in its way, and it is not old as long as that is there. */
export const imageOf = (sandbox: string): string => `atoll/sandbox:${sandbox}`;

/** Makes the image under both names. */
export async function buildImage(
  engine: Engine,
  sandbox: string,
  options: ImageOptions,
  { signal }: RunOptions = {},
): Promise<void> {
  await using _ = await lockBuild(engine.name, signal).catch((cause: unknown) => {
    throw interrupted(cause);
  });
  const before = new Set([...(await danglingImages(engine)), ...(await imageIds(engine, [IMAGE]))]);
  const built = await engine.try(buildArgv(engine, sandbox, options), { signal });
  refuseFailure(engine, built);
  const used = usedBy(built);
  const old = (await danglingImages(engine)).filter(
    (id) => before.has(id) && !used.some((start) => bare(id).startsWith(start)),
  );
  // One at a time, since one that a container needs does not keep the others.
  for (const id of old) await engine.run("remove an old image", ["image", "rm", id], { tolerate: NEEDED });
}

/** Takes its name away, and the image if that was its last one. Kept if there is none. */
export async function removeImage(engine: Engine, sandbox: string): Promise<void> {
  await engine.run("remove the image", ["image", "rm", imageOf(sandbox)], { tolerate: NEEDED });
}

/** Or gone already. */
const NEEDED = /in use|being used|used by|conflict|no such image|image not known/i;

function buildArgv(
  engine: Engine,
  sandbox: string,
  { clone, baseImage, userId, groupId }: ImageOptions,
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
      "--tag",
      imageOf(sandbox),
    ],
    ...Object.entries(values).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
    clone,
  ];
}

const interrupted = (cause?: unknown): InterruptedError =>
  new InterruptedError("Interrupted: build the image.", cause);

function refuseFailure(engine: Engine, { outcome, stdout, stderr }: Captured): void {
  if (outcome.kind === "exited" && outcome.code === 0) return;
  if (outcome.kind === "cancelled") throw interrupted();
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

const lines = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");
