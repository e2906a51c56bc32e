// A run's world in a snapshot, in the form that the simulated world has for it: so a run whose nodes were processes can go on
// on simulated machines, and the other way round. What a rank's transport remembers is its counters, the calls that it has
// started and not waited for, and messages that have arrived and were not received.
// Times of the two differ: a message or a call that was under way has come to its end when it is taken over.

import type { ConfigTree, ConfigValue, NodeTime, Rank } from "@atoll/core";
import type { StepReport } from "../../recorder.ts";
import type { RunSnapshot } from "../../snapshot.ts";
import type { RankSnapshot } from "./rank.ts";

interface Counters extends Omit<NodeTime, "compute"> {
  readonly bytesSent: number;
  readonly calls: number;
}

interface OpenCall {
  readonly id: number;
  readonly operation: string;
  readonly bytes: number;
}

type Parcel = ConfigTree & { readonly source: Rank; readonly target: Rank };

/** What the transport over TCP saves of a rank. */
interface TransportSnapshot {
  readonly calls: { readonly counters: Counters; readonly open: readonly OpenCall[] };
  readonly mail: readonly Parcel[];
}

/** What the simulated world saves of all ranks. */
interface WorldSnapshot {
  readonly ranks: readonly (Counters & { readonly busyUntil?: number })[];
  readonly network: ConfigValue;
  readonly mail: { readonly parcels: readonly Parcel[]; readonly busyUntil: readonly number[] };
  readonly open: readonly (OpenCall & {
    readonly rank: Rank;
    readonly lastReady: number;
    readonly end: number;
  })[];
  readonly warned: readonly string[];
}

function worldOf(saved: readonly RankSnapshot[], network: ConfigValue): ConfigValue {
  const ranks = saved.map(({ world }) => world as unknown as TransportSnapshot);
  const times = saved.map(({ node }) => node.state.time);
  const world: WorldSnapshot = {
    ranks: ranks.map(({ calls: { counters } }, rank) => ({
      communication: saved[rank]!.spent.communication,
      waiting: saved[rank]!.spent.waiting,
      bytesSent: counters.bytesSent,
      calls: counters.calls,
      busyUntil: times[rank]!,
    })),
    network,
    mail: {
      parcels: ranks.flatMap(({ mail }, rank) =>
        mail.map((parcel) => ({ ...parcel, sent: times[rank]!, arrived: times[rank]! })),
      ),
      busyUntil: times.map(() => 0),
    },
    open: ranks.flatMap(({ calls: { open } }, rank) =>
      open.map((call) => ({ ...call, rank, lastReady: times[rank]!, end: times[rank]! })),
    ),
    warned: [],
  };
  return world as unknown as ConfigValue;
}

export interface RunParts {
  readonly step: number;
  /** By rank. */
  readonly saved: readonly RankSnapshot[];
  /** By rank: reports of steps that others have not done. */
  readonly ahead: readonly (readonly StepReport[])[];
  /** The state of a network on which nothing has been sent yet: real links remember nothing. */
  readonly network: ConfigValue;
}

export function runSnapshot({ step, saved, ahead, network }: RunParts): RunSnapshot {
  const nodes = saved.map(({ node: { state, tensors } }, rank) => {
    const reports = ahead[rank]!.map((report) => ({ ...report, loss: finite(report.loss) }));
    return { state: reports.length === 0 ? state : { ...state, ahead: reports }, tensors };
  });
  return { step, nodes, world: worldOf(saved, network), durations: null };
}

const finite = (loss: number): number | null => (Number.isNaN(loss) ? null : loss);

/** Each rank's part of a snapshot. */
export function rankSnapshots({ nodes, world }: RunSnapshot): readonly RankSnapshot[] {
  const { ranks, mail, open } = world as unknown as WorldSnapshot;
  return nodes.map((node, rank): RankSnapshot => {
    const { communication, waiting, bytesSent, calls } = ranks[rank]!;
    const transport: TransportSnapshot = {
      calls: {
        counters: { communication: 0, waiting: 0, bytesSent, calls },
        open: open
          .filter((call) => call.rank === rank)
          .map(({ id, operation, bytes }) => ({ id, operation, bytes })),
      },
      mail: mail.parcels.filter(({ target }) => target === rank),
    };
    const { computeSeconds: compute } = node.state;
    return {
      node,
      world: transport as unknown as ConfigValue,
      spent: { compute, communication, waiting },
    };
  });
}

/** The snapshot of a transport that has made so many calls, and has waited for all. */
export function settledWorld(calls: number): ConfigValue {
  const counters: Counters = { communication: 0, waiting: 0, bytesSent: 0, calls };
  const transport: TransportSnapshot = { calls: { counters, open: [] }, mail: [] };
  return transport as unknown as ConfigValue;
}

/** A transport's snapshot with another count of bytes sent. */
export function withBytes(world: ConfigValue, bytesSent: number): ConfigValue {
  const { calls, ...rest } = world as {
    readonly calls: { readonly counters: ConfigTree; readonly open: ConfigValue };
  };
  return { ...rest, calls: { ...calls, counters: { ...calls.counters, bytesSent } } };
}
