// The image that nodes run: docker/Dockerfile of the clone, built each time, since that costs a second when nothing has
// changed.

import { join } from "node:path";
import { InterruptedError, RunError } from "@atoll/core";
import { describeExit } from "../exitReason.ts";
import type { Engine, RunOptions } from "./engine.ts";
import { engineProblem } from "./engineProblem.ts";

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

export async function buildImage(
  engine: Engine,
  { clone, baseImage, userId, groupId }: ImageOptions,
  { signal }: RunOptions = {},
): Promise<void> {
  const values = {
    USER_ID: userId,
    GROUP_ID: groupId,
    ...(baseImage === undefined ? {} : { BASE_IMAGE: baseImage }),
  };
  const { outcome, stdout, stderr } = await engine.try(
    [
      "build",
      // Podman's own format of images has no health checks.
      ...(engine.name === "podman" ? ["--format", "docker"] : []),
      ...["--file", join(clone, "docker", "Dockerfile"), "--target", "train", "--tag", IMAGE],
      ...Object.entries(values).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
      clone,
    ],
    { signal },
  );
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
