// A process of a run once it has joined the others: all that it has, before the run begins.

import type { CollectivePart, RunCommand, TcpWorld, TcpWorldOptions } from "@atoll/comm/node";
import type { Rank } from "@atoll/core";
import type { Network } from "@atoll/network";
import type { Executor } from "../../executor.ts";
import type { FaultPlan } from "../../faults/policy.ts";
import type { FitSetup } from "../../fit.ts";
import type { Identity } from "./identity.ts";
import type { LinkShaping, Links } from "./links.ts";
import type { Channel } from "./messages.ts";
import type { LocalRank } from "./rank.ts";

/** Which rank this process is, and where it meets the others. */
export interface Rendezvous {
  readonly rank: Rank;
  /** Where rank 0 listens. Port 0 is any free one: `onListening` tells which. */
  readonly master: { readonly host: string; readonly port: number };
  /** Where this rank listens. Default: on this machine only. */
  readonly listenHost?: string;
  readonly runId: string;
  /** The secret by which the run's processes know each other. */
  readonly token: string;
  /** How long ranks wait for each other to come. Default one minute. */
  readonly joinTimeoutMs?: number;
  readonly heartbeatMs?: number;
  /** A rank of which nothing was heard for so long is lost. Default 10 seconds. */
  readonly timeoutMs?: number;
  readonly onListening?: (port: number) => void;
  /** Who makes the network's conditions felt, if anybody does. Default none. */
  readonly shaping?: LinkShaping;
  /** Runs the programs that tell the kernel to shape links. Default: none may be run. */
  readonly run?: RunCommand;
  /** How long a lost rank may take to come back, as a new process with the same rank. Default 0: none does. */
  readonly returnMs?: number;
  /** Aborted, with the reason, when other ranks will not come. */
  readonly abandoned?: AbortSignal;
  /** Aborted when a rank has ended and will not come back, however long it is waited for; the same one at each call. */
  readonly gone?: (rank: Rank) => AbortSignal;
  /** What is known of a lost rank's end, as the end of a sentence about it. */
  readonly fate?: (rank: Rank) => Promise<string | undefined>;
}

/** This process's end of a run, before it begins. */
export interface Joined {
  readonly setup: FitSetup;
  readonly executor: Executor;
  readonly network: Network;
  readonly world: TcpWorld;
  readonly links: Links;
  readonly channel: Channel;
  readonly identity: Identity;
  readonly nowMs: () => number;
  /** When the transport's clock began, in milliseconds since 1970: at one moment for all ranks. */
  readonly epoch: { ms: number };
  readonly plan: FaultPlan;
  /** Whether nodes are ready to begin an exchange again without ranks that are lost. */
  readonly survives: boolean;
  /** Gets this rank's parts of collectives, once somebody wants them. */
  readonly collectives: { onPart: TcpWorldOptions["onCollective"] };
  readonly signal: AbortSignal;
}

/** @param epochMs of the transport's clock */
export function inRunTime({ clock }: LocalRank, epochMs: number, part: CollectivePart): CollectivePart {
  const at = (moment: number): number => clock.at(moment + epochMs / 1000);
  return { ...part, ready: at(part.ready), end: at(part.end) };
}
