// Another rank as this one is connected to it: two connections, one dialled by each side. Each carries bulk (collectives'
// segments, messages) to the side that dialled, and the way back what is short (control frames, heartbeats), so that
// neither waits behind the other. Sources of bulk are served in the order in which they came.

import type { Rank } from "@atoll/core";
import type { Connection } from "./connection.ts";
import type { FrameFields } from "./frame.ts";
import type { Shaper, Transfer } from "./shaper.ts";

/** Bulk that goes out: asked for as the line takes it. */
export interface BulkFrame {
  readonly fields: FrameFields;
  readonly payload: Uint8Array;
  /** The payload's, where it is known (checksum.ts). */
  readonly digest?: Uint8Array | undefined;
  /** What it is part of, where the network's conditions are to be felt. */
  readonly transfer: Transfer | undefined;
  /** The payload may change again. @param at moment at which it arrives; 0 where nothing is shaped */
  left(isLost: boolean, at: number): void;
}

export interface BulkSource {
  /** The next frame to a rank; undefined while there is none. */
  next(rank: Rank): BulkFrame | undefined;
}

/** Where the payload of a frame of bulk is to lie, and what to call when it is there. */
export interface Landing {
  readonly elements: Uint8Array;
  /** All of it has been read, and counts later. */
  read?(): void;
  /** Takes the digest in one pass with what is to be done; undefined where there is no such pass. */
  digest?(): Uint8Array | undefined;
  /**
   * @param at moment at which it counts as arrived; 0 where nothing is shaped
   * @param digest of a long payload (checksum.ts)
   */
  complete(at: number, digest?: Uint8Array): void;
}

/** Bytes that are handed to the system at once: enough to keep it busy, few enough that what is urgent goes before the rest. */
const MOST_IN_FLIGHT = 2 << 20;

export class Peer {
  readonly rank: Rank;
  /** Dialled by this rank: bulk comes in, what is short goes out. */
  #inbound: Connection | undefined;
  /** Dialled by the other: the other way round. */
  #outbound: Connection | undefined;
  #isReady = false;
  readonly #sources = new Set<BulkSource>();
  readonly #shaper: Shaper | undefined;
  readonly #atItsTime: ((at: number, action: () => void) => void) | undefined;
  #isLineTaken = false;
  #inFlight = 0;
  #pumping = false;
  /** What it has said of its leaving, on either connection. */
  readonly farewell: { broken?: readonly string[]; isBulkOver: boolean } = { isBulkOver: false };
  /** Milliseconds on the caller's clock. */
  lastHeardMs: number;

  constructor(rank: Rank, nowMs: number, shaper?: Shaper) {
    this.rank = rank;
    this.#shaper = shaper;
    this.#atItsTime = shaper?.inOrder();
    this.lastHeardMs = nowMs;
  }

  set inbound(connection: Connection) {
    this.#inbound = connection;
  }

  set outbound(connection: Connection) {
    this.#outbound = connection;
  }

  get hasOutbound(): boolean {
    return this.#outbound !== undefined;
  }

  get connections(): readonly Connection[] {
    return [this.#inbound, this.#outbound].filter((connection) => connection !== undefined);
  }

  /** The other's, as its connection has it. */
  get address(): string | undefined {
    return this.connections[0]?.socket.remoteAddress;
  }

  /** The other side has said that it takes frames now. */
  ready(): void {
    this.#isReady = true;
    this.pump();
  }

  get isConnected(): boolean {
    return this.#isReady && this.#inbound !== undefined && this.#outbound !== undefined;
  }

  /** Whether anything has come since the last call. */
  takeHeard(): boolean {
    let heard = false;
    for (const connection of this.connections) {
      heard ||= connection.heard;
      connection.heard = false;
    }
    return heard;
  }

  /** Sends what is short. */
  write(fields: FrameFields, payload?: Uint8Array): void {
    this.#inbound?.write(fields, payload);
  }

  add(source: BulkSource): void {
    this.#sources.add(source);
  }

  remove(source: BulkSource): void {
    this.#sources.delete(source);
  }

  /** Hands out bulk as long as the line takes it. */
  pump(): void {
    if (!this.#isReady || this.#pumping || !this.#outbound!.isOpen) return;
    this.#pumping = true;
    while (this.#inFlight < MOST_IN_FLIGHT && !this.#isLineTaken) {
      const frame = this.#next();
      if (frame === undefined) break;
      if (this.#shaper === undefined || this.#shaper.does === "nothing") this.#write(frame, 0);
      else if (frame.transfer === undefined) this.#atItsTime!(0, () => this.#write(frame, 0));
      else this.#hold(frame, frame.transfer, this.#shaper);
    }
    this.#pumping = false;
  }

  #write(frame: BulkFrame, due: number): void {
    const size = frame.payload.length;
    this.#inFlight += size;
    const flushed = (isLost: boolean): void => {
      this.#inFlight -= size;
      frame.left(isLost, due);
      this.pump();
    };
    this.#outbound!.write({ ...frame.fields, due }, frame.payload, flushed, frame.digest);
  }

  /** Holds a frame back until it would have arrived, and asks for the next when this one would have left. */
  #hold(frame: BulkFrame, transfer: Transfer, shaper: Shaper): void {
    const { leaves, due } = shaper.schedule(this.rank, frame.payload.length, transfer);
    this.#atItsTime!(due, () => this.#write(frame, due));
    if (shaper.isHere(leaves)) return;
    this.#isLineTaken = true;
    shaper.later(leaves, () => {
      this.#isLineTaken = false;
      this.pump();
    });
  }

  #next(): BulkFrame | undefined {
    for (const source of this.#sources) {
      const frame = source.next(this.rank);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  end(cause: string): void {
    for (const connection of this.connections) connection.end(cause);
  }
}
