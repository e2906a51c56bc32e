// atoll node: one rank of a run whose nodes are processes, wherever they run.

import { mergeConfig } from "@atoll/core/config";
import { table } from "../help.ts";
import { loadExperiment } from "../loadExperiment.ts";
import { placeOf, withDashes } from "../ranks/rankPlace.ts";
import { runServingRank } from "../ranks/servingRank.ts";
import { resolveConfig } from "../runConfig.ts";
import { RunWorkers } from "../runWorkers.ts";
import { type Command, STOPPING_NODES } from "../terminal.ts";
import { readTraining, train } from "../training.ts";

export const nodeCommand: Command = {
  whenInterrupted: STOPPING_NODES,
  help: async () => `Runs one rank of a training whose nodes are processes, on this machine or on several.

Usage: npx atoll node <experiment> --nnodes N --node_rank R --master_addr H [key=value …] [flags]

Start it once for each rank, with the same experiment and options, which are those of npx atoll train. Rank 0 leaves the run
directory; the others come to it at --master_addr. All of them may be there before it is.

Flags:
${table([
  ["--nnodes N", "ranks of the run"],
  ["--node_rank R", "this one's: 0 to N − 1"],
  ["--master_addr H", "where rank 0 can be reached"],
  ["--master_port P", "the port at which rank 0 waits for the others (default 29500)"],
  [
    "--listen_host H",
    "where this rank listens: by default on this machine alone if rank 0 is on it, else on all addresses",
  ],
  ["--json, --name, --runs-dir, --resume", "of rank 0, as in npx atoll train"],
])}

Environment:
${table([
  [
    "RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT",
    "instead of flags, as well as the names that torchrun, SkyPilot, Slurm (srun) and Kubernetes' indexed jobs (with WORLD_SIZE and MASTER_ADDR) set",
  ],
  ["ATOLL_TOKEN", "a secret that is the same on all ranks and keeps others out; needed beyond this machine"],
])}

Exit codes: 0 done, 1 the run failed or rank 0 is lost, 2 the command line or config is wrong, 130 interrupted.

Examples:
  npx atoll node digits nodes=2 maxSteps=20 --nnodes 2 --node_rank 0 --master_addr 127.0.0.1 &
  npx atoll node digits nodes=2 maxSteps=20 --nnodes 2 --node_rank 1 --master_addr 127.0.0.1
  export ATOLL_TOKEN=$(openssl rand -hex 32)
  srun --ntasks=4 npx atoll node mnist strategy=diloco strategy.H=50
`,
  async run(argv, terminal) {
    const parsed = readTraining("node", argv.map(withDashes), terminal);
    const place = placeOf(parsed.flags, terminal.environment);
    const { parent, workingDirectory } = terminal;
    if (parent === undefined) {
      await using workers = new RunWorkers({ early: false });
      return await train(parsed, place, terminal, workers);
    }
    const { options, runId, token } = await parent.order;
    const experiment = await loadExperiment(parsed.experiment, workingDirectory);
    const config = resolveConfig(experiment, mergeConfig(options, { mode: "processes" }));
    return runServingRank(experiment, config, { ...place, runId, token }, terminal);
  },
};
