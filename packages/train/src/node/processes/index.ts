// Runs whose nodes are processes: an entry point of its own (@atoll/train/node/processes), since a run on simulated machines
// needs neither sockets nor what survives a lost process.

export { ProcessTrainer, type ProcessTrainerOptions, type Rendezvous } from "./processTrainer.ts";
export { RanksLostError } from "./remoteRank.ts";
