// What the ranks of a run say to each other on the control channel, beside the training's own traffic: JSON, and bytes
// where vectors go with it. Rank 0 asks and the others answer; by themselves they say what steps they have done, and that
// they were told to stop.

import { decodeSafetensors, encodeSafetensors, toHostTensor } from "@atoll/checkpoint";
import type { CollectivePart, ControlChannel, Shaping } from "@atoll/comm/node";
import type { ConfigValue, Rank } from "@atoll/core";
import type { HostTensor } from "@atoll/tensor";
import type { Weights } from "../../evaluation.ts";
import type { StepReport } from "../../recorder.ts";
import type { NodeState } from "../../snapshot.ts";
import type { Identity } from "./identity.ts";
import type { LinkOffer } from "./links.ts";
import type { Moment, RegroupCause } from "./processLife.ts";
import type { RankSnapshot, RankStatus, Target } from "./rank.ts";

/** What rank 0 asks. */
export type Request =
  | { readonly kind: "advance"; readonly target: Target; readonly time: number }
  | { readonly kind: "hold" }
  | { readonly kind: "retarget"; readonly target: Target }
  | { readonly kind: "weights" }
  | { readonly kind: "snapshot"; readonly moment: Moment }
  | { readonly kind: "restore"; readonly step: number; readonly saved: SnapshotHead }
  | {
      readonly kind: "regroup";
      readonly members: readonly Rank[];
      readonly epoch: number;
      readonly cause: RegroupCause;
    }
  | { readonly kind: "haveCallsEnded" }
  | {
      readonly kind: "takeOver";
      readonly step: number;
      readonly exchanges: number;
      readonly saved: SnapshotHead;
    };

/** A snapshot of a rank but for its tensors, which go as bytes. */
export interface SnapshotHead {
  readonly state: NodeState;
  readonly world: ConfigValue;
  readonly spent: RankSnapshot["spent"];
}

export type Answer =
  | { readonly kind: "advance"; readonly status: RankStatus }
  | { readonly kind: "hold"; readonly step: number; readonly committed: number }
  | { readonly kind: "retarget" }
  | { readonly kind: "weights" }
  | { readonly kind: "snapshot"; readonly saved: SnapshotHead }
  | { readonly kind: "restore" }
  | { readonly kind: "regroup" }
  | { readonly kind: "haveCallsEnded"; readonly well: boolean }
  | { readonly kind: "takeOver" }
  /** It could not be done. `lost`: since these ranks are lost. */
  | { readonly kind: "failed"; readonly message: string; readonly lost: readonly Rank[] };

export type ControlMessage =
  /** A rank has come, with what its options came to, and whether its kernel shapes its links. */
  | { readonly kind: "hello"; readonly identity: Identity; readonly offer: LinkOffer }
  /** The run begins: its clock counts from this moment on, in milliseconds since 1970. */
  | { readonly kind: "welcome"; readonly epochMs: number; readonly shaping: Shaping }
  | { readonly kind: "request"; readonly id: number; readonly request: Request }
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answer }
  | {
      readonly kind: "done";
      readonly steps: readonly SentReport[];
      /** Times are seconds of the run. */
      readonly collectives: readonly CollectivePart[];
    }
  /** The rank was told from outside to stop. */
  | { readonly kind: "interrupted" }
  /** The run is over. `failure`: why, if it did not come to its end. */
  | { readonly kind: "over"; readonly failure: RunFailure | null };

export interface RunFailure {
  readonly message: string;
  readonly exitCode: 1 | 2 | 130;
}

/** A step's report; a loss that is no finite number goes as text, since JSON has none. */
export type SentReport = Omit<StepReport, "loss"> & { readonly loss: number | string };

export const sentReport = (report: StepReport): SentReport => ({
  ...report,
  loss: Number.isFinite(report.loss) ? report.loss : String(report.loss),
});

export const receivedReport = (report: SentReport): StepReport => ({ ...report, loss: Number(report.loss) });

/** A model's vectors one after the other. */
export function bytesOfWeights({ parameters, buffers }: Weights): Uint8Array {
  const both = new Float32Array(parameters.length + buffers.length);
  both.set(parameters);
  both.set(buffers, parameters.length);
  return new Uint8Array(both.buffer);
}

export function weightsOf(bytes: Uint8Array, parameterCount: number): Weights {
  // The bytes may lie anywhere in what was received.
  const both = new Float32Array(bytes.slice().buffer);
  return { parameters: both.subarray(0, parameterCount), buffers: both.subarray(parameterCount) };
}

export const bytesOfTensors = (tensors: Readonly<Record<string, HostTensor>>): Uint8Array =>
  Buffer.concat(encodeSafetensors(tensors));

export function tensorsOf(bytes: Uint8Array): Readonly<Record<string, HostTensor>> {
  const where = "A rank's snapshot";
  const { tensors } = decodeSafetensors(bytes, where);
  const named = Object.entries(tensors).map(([name, stored]) => [name, toHostTensor(stored, where)]);
  return Object.fromEntries(named);
}

/** A snapshot of a rank as it is sent, its tensors apart. */
export const headOf = ({ node: { state }, world, spent }: RankSnapshot): SnapshotHead => ({
  state,
  world,
  spent,
});

export function snapshotOf({ state, world, spent }: SnapshotHead, bytes: Uint8Array): RankSnapshot {
  const tensors = tensorsOf(bytes);
  return { node: { state, tensors: () => tensors }, world, spent };
}

/** The control channel, as far as training uses it. */
export interface Channel {
  send(to: Rank, message: ControlMessage, bytes?: Uint8Array): void;
  listen(listener: (from: Rank, message: ControlMessage, bytes: Uint8Array) => void): void;
}

export const channelOf = (control: ControlChannel): Channel => ({
  send: (to, message, bytes) => control.send(to, message as unknown as ConfigValue, bytes),
  listen: (listener) =>
    void control.on(({ from, message, body }) => listener(from, message as unknown as ControlMessage, body)),
});
