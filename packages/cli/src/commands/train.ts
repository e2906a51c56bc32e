// atoll train: one run of an experiment, from its options to its report.

import { builtIns } from "../experiments/index.ts";
import { loadExperiment } from "../loadExperiment.ts";
import { placeOfLauncher } from "../ranks/rankPlace.ts";
import { type Command, STOPPING_NODES } from "../terminal.ts";
import { trainHelp } from "../trainHelp.ts";
import { namedExperiment, readTraining, train } from "../training.ts";

export const trainCommand: Command = {
  whenInterrupted: STOPPING_NODES,
  async help(argv, { workingDirectory }) {
    const named = namedExperiment(argv);
    return trainHelp(named === undefined ? builtIns : [await loadExperiment(named, workingDirectory)]);
  },
  run: (argv, terminal) =>
    train(readTraining("train", argv, terminal), placeOfLauncher(terminal.environment), terminal),
};
