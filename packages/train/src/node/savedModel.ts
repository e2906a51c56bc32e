// The weights that a run has left on disk: the fitted model, or the average of its nodes at a checkpoint, which is what
// evaluations call "global".

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { decodeSafetensors, toHostTensor } from "@atoll/checkpoint";
import { listCheckpoints, loadCheckpoint } from "@atoll/checkpoint/node";
import { ConfigError } from "@atoll/core";
import { type HostTensor, layoutOf, pack, type Tree, unflattenTree, viewsOf } from "@atoll/tensor";
import { averageWeights } from "../evaluation.ts";
import type { MembershipSnapshot } from "../faults/membership.ts";

export interface ModelWeights {
  readonly parameters: Tree<HostTensor>;
  readonly buffers: Tree<HostTensor>;
}

/**
 * The model that a finished run ended with.
 * @throws ConfigError if it has none, with what to do; or if the file is damaged
 */
export function readFittedModel(runDirectory: string): ModelWeights {
  const path = join(runDirectory, "model.safetensors");
  if (!existsSync(path))
    throw new ConfigError(
      `The run ${runDirectory} has kept no fitted model: it did not come to its end, or was repriced from another. ${checkpointsText(runDirectory)}`,
    );
  const { tensors } = decodeSafetensors(readFileSync(path), path);
  const named = Object.entries(tensors).map(([name, tensor]): [string, HostTensor] => [
    name,
    toHostTensor(tensor, `${path}, tensor "${name}"`),
  ]);
  return weightsOf(Object.fromEntries(named));
}

/**
 * The average of the nodes' models at a checkpoint; of those that were with the others, where nodes had crashed.
 * @throws ConfigError if there is no checkpoint of that step, with those that there are; or if it is damaged
 */
export function readCheckpointModel(runDirectory: string, step: number): ModelWeights {
  const path = listCheckpoints(runDirectory).find((candidate) => stepOf(candidate) === step);
  if (path === undefined)
    throw new ConfigError(
      `The run ${runDirectory} has no checkpoint of step ${step}. ${checkpointsText(runDirectory)}`,
    );
  const { files, state, read } = loadCheckpoint(path);
  const { faults } = state as unknown as { readonly faults?: { readonly membership: MembershipSnapshot } };
  const current = files.filter((_, rank) => (faults?.membership.statuses[rank] ?? "current") === "current");
  const models = current.map((file) => weightsOf(read(file)));
  const { parameters, buffers } = models[0]!;
  const layouts = { parameters: layoutOf(parameters), buffers: layoutOf(buffers) };
  const average = averageWeights(
    models.map((model) => ({
      parameters: pack(model.parameters, layouts.parameters),
      buffers: pack(model.buffers, layouts.buffers),
    })),
  );
  return {
    parameters: viewsOf(average.parameters, layouts.parameters),
    buffers: viewsOf(average.buffers, layouts.buffers),
  };
}

const stepOf = (checkpoint: string): number => Number(basename(checkpoint));

function checkpointsText(runDirectory: string): string {
  const steps = listCheckpoints(runDirectory).map(stepOf);
  return steps.length === 0
    ? "It has no checkpoints either; checkpointInterval=… keeps some."
    : `There are checkpoints of step ${steps.join(", ")}: choose one with --step.`;
}

/** The tensors below `parameters.` and `buffers.` as trees; what else a checkpoint holds is left out. */
function weightsOf(tensors: Readonly<Record<string, HostTensor>>): ModelWeights {
  const below = (prefix: string): Tree<HostTensor> =>
    unflattenTree(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, leaf]) => ({ path: name.slice(prefix.length), leaf })),
    );
  return { parameters: below("parameters."), buffers: below("buffers.") };
}
