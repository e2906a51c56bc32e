// What has to be the same on all ranks of a run, by name, so that a rank that was started with other options is told which.

import { createHash } from "node:crypto";
import type { ConfigTree, ConfigValue } from "@atoll/core";
import { pack } from "@atoll/tensor";
import type { FitSetup } from "../../fit.ts";
import { optionsOf } from "../../fitRun.ts";

export type Identity = Readonly<Record<string, string>>;

/** @param config of the network, as drawn */
export function identityOf({ options, prepared, parts }: FitSetup, config: ConfigTree): Identity {
  const { parameters, buffers } = prepared.initial;
  const hash = createHash("sha256");
  for (const vector of [pack(parameters, prepared.layout), pack(buffers, prepared.bufferLayout)])
    hash.update(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
  return Object.fromEntries(
    rowsOf({
      ...optionsOf(options),
      ...config,
      model: parts.model.config,
      data: { ...prepared.data, shares: prepared.nodes.map(({ share }) => share) },
      "initial parameters": hash.digest("hex").slice(0, 16),
    }),
  );
}

function* rowsOf(tree: ConfigTree, prefix = ""): Generator<readonly [string, string]> {
  for (const [name, value] of Object.entries(tree as Record<string, ConfigValue>))
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      yield* rowsOf(value as ConfigTree, `${prefix}${name}.`);
    else yield [prefix + name, JSON.stringify(value)];
}

/** The first thing that differs, in words; undefined if nothing does. */
export function differenceOf(expected: Identity, got: Identity): string | undefined {
  for (const name of new Set([...Object.keys(expected), ...Object.keys(got)]))
    if (expected[name] !== got[name])
      return `"${name}" is ${got[name] ?? "not set"} there and ${expected[name] ?? "not set"} on rank 0`;
  return undefined;
}
