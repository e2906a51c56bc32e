// The names by which each engine tells a process its rank. Sources: torchrun's "Environment Variables" (torch.distributed.run),
// SkyPilot's "Environment Variables", srun(1) "OUTPUT ENVIRONMENT VARIABLES", Kubernetes' "Indexed Job".

import { hostNames } from "./slurmHostNames.ts";
import type { Variables } from "./variables.ts";

/** Lists of names are looked up from first to last. */
export interface RankSource {
  /** The variable whose presence says that this engine started the process. */
  readonly rank: string;
  readonly worldSize: readonly string[];
  /** What to do where the engine does not tell the world size, or somebody has lost it. */
  readonly worldSizeRemedy: string;
  readonly localRank: readonly string[];
  readonly nodeIndex: readonly string[];
  readonly numNodes: readonly string[];
  readonly runId: readonly string[];
  /** One for each node, in order; empty if the engine does not tell. */
  nodeAddresses(variables: Variables): readonly string[];
  readonly masterRemedy: string;
}

const skyPilotAddresses = (variables: Variables): readonly string[] =>
  (variables.first(["SKYPILOT_NODE_IPS"])?.text ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

export const rankSources: readonly RankSource[] = [
  {
    rank: "RANK",
    worldSize: ["WORLD_SIZE"],
    worldSizeRemedy: "Set WORLD_SIZE to the number of ranks.",
    localRank: ["LOCAL_RANK"],
    nodeIndex: ["NODE_INDEX", "GROUP_RANK"],
    numNodes: ["NUM_NODES", "GROUP_WORLD_SIZE"],
    runId: ["SKYPILOT_TASK_ID", "TORCHELASTIC_RUN_ID"],
    nodeAddresses: skyPilotAddresses,
    masterRemedy: "Set MASTER_ADDR.",
  },
  {
    rank: "SKYPILOT_NODE_RANK",
    worldSize: ["SKYPILOT_NUM_NODES"],
    worldSizeRemedy: "SkyPilot sets both; pass both on to this process.",
    localRank: [],
    nodeIndex: ["SKYPILOT_NODE_RANK"],
    numNodes: ["SKYPILOT_NUM_NODES"],
    runId: ["SKYPILOT_TASK_ID"],
    nodeAddresses: skyPilotAddresses,
    masterRemedy: "SkyPilot sets SKYPILOT_NODE_IPS, whose first line serves; pass it on to this process.",
  },
  {
    rank: "SLURM_PROCID",
    worldSize: ["SLURM_NTASKS", "SLURM_NPROCS"],
    worldSizeRemedy: "srun sets both: start the process by srun.",
    localRank: ["SLURM_LOCALID"],
    nodeIndex: ["SLURM_NODEID"],
    numNodes: ["SLURM_NNODES", "SLURM_STEP_NUM_NODES", "SLURM_JOB_NUM_NODES"],
    runId: ["SLURM_JOB_ID", "SLURM_JOBID"],
    nodeAddresses: (variables) => {
      const list = variables.first(["SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"]);
      return list === undefined ? [] : hostNames(list.name, list.text);
    },
    masterRemedy: "Set MASTER_ADDR to the first of: scontrol show hostnames.",
  },
  {
    rank: "JOB_COMPLETION_INDEX",
    worldSize: ["WORLD_SIZE"],
    worldSizeRemedy:
      "Kubernetes tells a pod only its index: add WORLD_SIZE, the Job's completions, to its env.",
    localRank: [],
    nodeIndex: ["JOB_COMPLETION_INDEX"],
    numNodes: ["WORLD_SIZE"],
    runId: ["JOB_NAME"],
    nodeAddresses: () => [],
    masterRemedy: "Add MASTER_ADDR to the pod's env: <job>-0.<service>, by a headless Service.",
  },
];
