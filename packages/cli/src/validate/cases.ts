// What a validation runs: every combination of the options given, and cases that are hard for a network model.

import { ConfigError, type ConfigTree } from "@atoll/core";
import { mergeConfig, parseAssignments } from "@atoll/core/config";
import type { Experiment } from "@atoll/train";
import { combinations, labelOf } from "../optionLists.ts";
import { fitOptionsOf, type ResolvedConfig, resolveConfig, withDefaults } from "../runConfig.ts";
import { withTraces } from "../traceFiles.ts";

export interface ValidationCase {
  readonly label: string;
  /** With processes as nodes. */
  readonly config: ResolvedConfig;
}

/** Many senders and one receiver; links of different lengths in one collective; bytes that go both ways at once. */
const ADVERSARIAL: Readonly<Record<string, ConfigTree>> = {
  "incast star": {
    network: { topology: "star", bandwidth: 5e7, latency: 0.01, jitter: 0, loss: 0, nic: 2e7 },
  },
  "mixed RTT": {
    network: { bandwidth: 5e7, latency: [0.002, 0.15], jitter: 0.1, loss: 0 },
  },
  "both ways": {
    network: { bandwidth: 5e7, latency: 0.005, jitter: 0, loss: 0, nic: 1e7 },
    allReduce: "ring",
  },
};

/** What a case's run is, unless the options say otherwise: evaluations are no part of what is compared. */
const USUAL: ConfigTree = { nodes: 3, maxSteps: 20, valSize: 0 };

/** @param given `key=value,value …` @throws ConfigError that names the option */
export async function casesOf(
  experiment: Experiment,
  given: readonly string[],
  workingDirectory: string,
): Promise<readonly ValidationCase[]> {
  const resolved = (label: string, tree: ConfigTree): ValidationCase => {
    const lengthGiven = tree.numEpochs === undefined ? USUAL : { nodes: 3, valSize: 0 };
    const options = mergeConfig({ ...lengthGiven, ...tree }, { mode: "processes" });
    const config = resolveConfig(experiment, withDefaults(experiment, options));
    refuseWhatIf(config);
    return { label, config };
  };
  const cases: ValidationCase[] = [];
  const all = combinations(given);
  for (const combination of all) {
    const tree = await withTraces(parseAssignments(combination.pairs), workingDirectory);
    cases.push(resolved(all.length === 1 ? "as given" : labelOf(combination), tree));
  }
  const rest = all[0]!.pairs.filter((pair) => !/^(network|allReduce)\b/.test(pair));
  const others = await withTraces(parseAssignments(rest), workingDirectory);
  for (const [label, tree] of Object.entries(ADVERSARIAL))
    cases.push(resolved(label, { ...others, ...tree }));
  return cases;
}

/** What a time model supposes is not what processes do, so there is nothing to hold against it. */
function refuseWhatIf({ run }: ResolvedConfig): void {
  const { strategy } = fitOptionsOf(run);
  if (strategy.kind === "gradient" && (strategy.exchangesFrom ?? 1) < 1)
    throw new ConfigError(
      `Strategy "${strategy.name}": sending gradients before the backward pass has ended is a what-if of simulated time, which processes cannot follow. Leave strategy.buckets out.`,
    );
}
