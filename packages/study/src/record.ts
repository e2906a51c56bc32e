// A run as its directory holds it: the resolved config, the events in the order they were written, and the summary.
// Nothing is interpreted here; run.ts does that.

import type { ConfigTree, RunEvent } from "@atoll/core";

export interface RunRecord {
  /** `config.json`, complete and resolved; an empty tree where the run wrote none. */
  readonly config: ConfigTree;
  /** `events.jsonl`, one event a line. */
  readonly events: readonly RunEvent[];
  /** `summary.json`; null for a run that did not get to write one. */
  readonly summary: ConfigTree | null;
  /** True where the last line of `events.jsonl` was cut off (the run was killed while it wrote) and is left out. */
  readonly truncated: boolean;
}
