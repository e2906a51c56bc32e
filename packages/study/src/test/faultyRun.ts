// Made-up runs that meet faults: a sample run in which nodes crash, are left behind, recover and roll back, from a seed.
// As in a real log, a roll-back repeats steps at later times and with more bytes.

import {
  type ConfigTree,
  createRandom,
  type FaultHappened,
  type Random,
  type RunEvent,
  type StepDone,
} from "@atoll/core";
import type { RunRecord } from "../record.ts";
import { type SampleOptions, sampleRun } from "./sampleRun.ts";

export interface FaultyOptions extends SampleOptions {
  /** Part of the steps after which something happens. Default 0.1. */
  readonly rate?: number;
  /** Part of what happens that is a roll-back. Default 0.1. */
  readonly rollBacks?: number;
  /** The resolved options; null for a log that does not say. */
  readonly faultConfig?: ConfigTree | null;
  /** What every message ends with. */
  readonly words?: string;
}

export const churn: ConfigTree = {
  churn: { uptime: 20, downtime: 2.5 },
  whenMissing: { kind: "quorum", fraction: 0.5, seconds: 30 },
  recovery: "peer",
};

interface Draft {
  readonly events: RunEvent[];
  readonly out: Set<number>;
  /** What roll-backs have added to times and bytes. */
  lag: number;
  sent: number;
  rolledBack: number;
}

/** The record of a sample run with faults in it; roll-backs go to the last multiple of ten steps. */
export function faultyRun(options: FaultyOptions = {}): RunRecord {
  const { rate = 0.1, rollBacks = 0.1, faultConfig = churn, words = "", ...sample } = options;
  const record = sampleRun(sample);
  const nodes = sample.nodes ?? 3;
  const random = createRandom((sample.seed ?? 1) + 1000);
  const draft: Draft = { events: [], out: new Set(), lag: 0, sent: 0, rolledBack: 0 };
  for (let i = 0; i < record.events.length; i++) {
    const event = record.events[i]!;
    draft.events.push(later(event, draft, faultConfig));
    if (event.type !== "step" || random.uniform() >= rate) continue;
    const time = event.time + draft.lag;
    if (random.uniform() >= rollBacks)
      draft.events.push(...nodeFaults(draft, { nodes, random, time, words }));
    else i = rollBack(draft, record.events, { event, index: i, nodes, words });
  }
  return { ...record, events: draft.events };
}

function later(event: RunEvent, { lag, sent }: Draft, faults: ConfigTree | null): RunEvent {
  switch (event.type) {
    case "runStarted":
      return faults === null ? event : { ...event, config: { ...event.config, faults } };
    case "step":
    case "evaluation":
      return { ...event, time: event.time + lag, bytesSent: event.bytesSent + sent };
    case "runFinished":
      return {
        ...event,
        simulatedSeconds: event.simulatedSeconds + lag,
        nodes: event.nodes.map((node) => ({ ...node, waiting: node.waiting + lag })),
        bytesSent: event.bytesSent.map((bytes) => bytes + sent),
      };
    default:
      return event;
  }
}

interface Moment {
  readonly nodes: number;
  readonly random: Random;
  readonly time: number;
  readonly words: string;
}

/** A node crashes or is left behind; or one that is out recovers. */
function nodeFaults({ out }: Draft, { nodes, random, time, words }: Moment): readonly FaultHappened[] {
  const rank = random.integer(nodes);
  const fault = (kind: FaultHappened["kind"], ranks: readonly number[], text: string): FaultHappened => ({
    type: "fault",
    kind,
    time,
    ranks,
    message: `${text}${words}`,
  });
  if (out.has(rank)) {
    out.delete(rank);
    return [
      fault("recovered", [rank], `Node ${rank} goes on with the state of another.`),
      fault("goneOn", [...out], out.size === 0 ? "All nodes exchange again." : "Some are still missing."),
    ];
  }
  out.add(rank);
  const goneOn = fault("goneOn", [...out], `The exchange goes on without node ${rank}.`);
  if (random.uniform() < 0.3) return [goneOn];
  const until = random.uniform() < 0.1 ? null : time + random.uniform();
  return [{ ...fault("crash", [rank], `Node ${rank} crashed.`), until }, goneOn];
}

interface Return {
  readonly event: StepDone;
  readonly index: number;
  readonly nodes: number;
  readonly words: string;
}

/** @returns the index of the event that the run goes on after */
function rollBack(draft: Draft, events: readonly RunEvent[], { event, index, nodes, words }: Return): number {
  const step = Math.floor((event.step - 1) / 10) * 10;
  const at = events.findIndex((other) => other.type === "step" && other.step === step);
  // A run that never gets on would never end.
  if (at < 0 || ++draft.rolledBack > 200) return index;
  const checkpoint = events[at] as StepDone;
  draft.events.push({
    type: "fault",
    kind: "rolledBack",
    time: event.time + draft.lag,
    ranks: Array.from({ length: nodes }, (_, rank) => rank),
    message: `All nodes go back to the last checkpoint. They go on from step ${step}.${words}`,
    step,
  });
  draft.out.clear();
  draft.lag += event.time - checkpoint.time;
  draft.sent += event.bytesSent - checkpoint.bytesSent;
  // Evaluations of the checkpoint's step are not done again.
  let next = at;
  while (events[next + 1]?.type === "evaluation") next++;
  return next;
}
