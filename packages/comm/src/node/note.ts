// What ranks tell each other in control frames: JSON, and bytes that go with it.

import { type ConfigValue, RunError } from "@atoll/core";
import { Kind } from "./frame.ts";
import type { FrameHandler } from "./frameReader.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
  /** Tells one life of the rank from its next. */
  readonly life: string;
}

/** By rank; null for a rank that is not there. */
export interface Table {
  readonly type: "table";
  readonly epoch: number;
  readonly addresses: readonly (Address | null)[];
}

/** What a member says of its call to the others. */
export interface Announcement {
  /** Epoch, group and number. */
  readonly name: string;
  /** What the frames of its phases are to be addressed to, counted on from this. */
  readonly stream: number;
  /** What all members' calls have in common. */
  readonly meets: string;
  readonly text: string;
  /** Of its vectors, in elements. */
  readonly lengths: readonly number[];
  /** Seconds. */
  readonly ready: number;
}

export type CollectiveNote =
  | ({ readonly type: "announce" } & Announcement)
  | { readonly type: "break"; readonly name: string; readonly reason: string };

export type Note =
  /** The sender takes frames from now on. */
  | { readonly type: "ready" }
  | Table
  /** A rank is back, and can be dialled. */
  | ({ readonly type: "joined"; readonly rank: number } & Address)
  | CollectiveNote
  /** A message has arrived whole. */
  | { readonly type: "received"; readonly number: number }
  /** For whoever drives the ranks. */
  | { readonly type: "application"; readonly message: ConfigValue }
  /** The sender has no more to say, and has not brought these collectives to their end. */
  | { readonly type: "leave"; readonly broken: readonly string[] };

const NOTHING = new Uint8Array(0);

export function packNote(note: Note, body: Uint8Array = NOTHING): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(note));
  const packed = new Uint8Array(4 + text.length + body.length);
  new DataView(packed.buffer).setUint32(0, text.length, true);
  packed.set(text, 4);
  packed.set(body, 4 + text.length);
  return packed;
}

/** @throws RunError if it is no note */
export function unpackNote(packed: Uint8Array): { readonly note: Note; readonly body: Uint8Array } {
  const length = packed.length < 4 ? -1 : new DataView(packed.buffer, packed.byteOffset).getUint32(0, true);
  if (length < 0 || length > packed.length - 4) throw new RunError("it sent a control frame that is cut off");
  try {
    const note = JSON.parse(new TextDecoder().decode(packed.subarray(4, 4 + length))) as Note;
    return { note, body: packed.subarray(4 + length) };
  } catch (error) {
    throw new RunError("it sent a control frame that is not JSON", error);
  }
}

/** A handler of control frames; heartbeats need no answer. */
export const notes = (onNote: (note: Note, body: Uint8Array) => void): FrameHandler => ({
  place: (frame) => new Uint8Array(frame.length),
  complete(frame, payload) {
    if (frame.kind === Kind.heartbeat) return;
    if (frame.kind !== Kind.control)
      throw new RunError(`it sent a frame of kind ${frame.kind} the wrong way`);
    const { note, body } = unpackNote(payload);
    onNote(note, body);
  },
});
