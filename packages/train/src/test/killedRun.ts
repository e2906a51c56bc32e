// A process that trains and kills itself at a given step, in the middle of writing a line of the log.
// Arguments: runs directory, run name, step.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { RunDirectory } from "../node/runDirectory.ts";
import { savedRun } from "./savedRun.ts";

const [runsDirectory = "", name = "", step = ""] = process.argv.slice(2);
const run = RunDirectory.create(runsDirectory, name, { named: true, config: {} });
await savedRun(run, {}, (event) => {
  if (event.type !== "step" || event.step !== Number(step)) return;
  run.flush();
  appendFileSync(join(run.path, "events.jsonl"), JSON.stringify(event).slice(0, 20));
  process.kill(process.pid, "SIGKILL");
});
