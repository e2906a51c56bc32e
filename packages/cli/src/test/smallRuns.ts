// Command lines of runs that several files of tests start from.

/** A run that takes a moment. */
export const QUICK = "train digits trainSize=200 testSize=20 batchSize=8 maxSteps=4 valSize=0";

/** An experiment small enough for processes, and a run of three. */
export const SMALL: readonly string[] = "digits trainSize=400 testSize=50 batchSize=8 valSize=20".split(" ");
export const PROCESSES: readonly string[] = ["train", ...SMALL, "mode=processes", "nodes=3"];
