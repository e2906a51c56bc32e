// atoll train: one run of an experiment, from its options to its report.

import { complain } from "../complaint.ts";
import { RunWorkers } from "../runWorkers.ts";
import { type Command, STOPPING_NODES } from "../terminal.ts";

export const trainCommand: Command = {
  whenInterrupted: STOPPING_NODES,
  async help(argv, { workingDirectory }) {
    const [{ builtIns }, { loadExperiment }, { trainHelp }, { namedExperiment }] = await Promise.all([
      import("../experiments/index.ts"),
      import("../loadExperiment.ts"),
      import("../trainHelp.ts"),
      import("../training.ts"),
    ]);
    const named = namedExperiment(argv);
    return trainHelp(named === undefined ? builtIns : [await loadExperiment(named, workingDirectory)]);
  },
  async run(argv, terminal) {
    const { placeOfLauncher } = await import("../ranks/rankPlace.ts");
    const place = placeOfLauncher(terminal.environment);
    const saysNothing = place === undefined && !argv.some((argument) => /^(mode|workers)=/.test(argument));
    await using workers = new RunWorkers({ early: saysNothing });
    try {
      const { readTraining, train } = await import("../training.ts");
      return await train(readTraining("train", argv, terminal), place, terminal, workers);
    } catch (error) {
      // Here, since threads that are still loading native code are waited for before the command ends.
      return complain(error, terminal);
    }
  },
};
