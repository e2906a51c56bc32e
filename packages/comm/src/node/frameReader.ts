// Reads frames from a stream of bytes. It says where the next bytes are wanted, so that a socket can read a payload straight
// into the vector that it is for; a stream that comes in pieces of its own is copied there.

import { crc32 } from "node:zlib";
import { RunError } from "@atoll/core";
import { digestOf, type HashBlocks, isLong } from "./checksum.ts";
import { type DecodedHeader, decodeHeader, type Frame, HEADER_BYTES } from "./frame.ts";

export interface FrameHandler {
  /** Where a frame's payload is to lie, [frame.length]. @throws RunError if there is no place for such a frame */
  place(frame: Frame): Uint8Array;
  /**
   * Takes the digest of a long payload that is there, where that goes together with what is to be done with it (checksum.ts):
   * what comes of that counts when the frame is complete.
   */
  digest?(frame: Frame): Uint8Array | undefined;
  /** A whole frame has come, and its checksum is right. @param digest of a long payload (checksum.ts) */
  complete(frame: Frame, payload: Uint8Array, digest?: Uint8Array): void;
}

const NOTHING = new Uint8Array(0);

export class FrameReader {
  readonly #run: bigint;
  readonly #hashBlocks: HashBlocks | undefined;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #handler: FrameHandler;
  #isStranger = true;
  #sequence = 0;
  /** The frame whose payload comes; undefined while a header does. */
  #current: DecodedHeader | undefined;
  #payload: Uint8Array = NOTHING;
  #filled = 0;
  /** The checksum of what has come of the frame; of a long payload nothing is in it until that is whole. */
  #sum = 0;

  constructor(run: bigint, handler: FrameHandler, hashBlocks?: HashBlocks) {
    this.#run = run;
    this.#hashBlocks = hashBlocks;
    this.#handler = handler;
  }

  /** The peer has shown who it is: frames of all kinds are for this handler from now on. */
  admit(handler: FrameHandler): void {
    this.#handler = handler;
    this.#isStranger = false;
  }

  /** Where the next bytes are wanted; never empty. */
  get space(): Uint8Array {
    return this.#current === undefined
      ? this.#header.subarray(this.#filled)
      : this.#payload.subarray(this.#filled);
  }

  /** So many bytes have been written into `space`. @throws RunError if they are not what may come */
  advance(count: number): void {
    const from = this.#filled;
    this.#filled += count;
    if (this.#current === undefined) {
      if (this.#filled < HEADER_BYTES) return;
      const decoded = decodeHeader(this.#header, {
        run: this.#run,
        sequence: this.#sequence,
        isStranger: this.#isStranger,
      });
      this.#sequence++;
      this.#filled = 0;
      this.#current = decoded;
      this.#sum = decoded.headerSum;
      this.#payload = decoded.frame.length === 0 ? NOTHING : this.#handler.place(decoded.frame);
      if (decoded.frame.length === 0) this.#end(decoded);
      return;
    }
    if (!isLong(this.#payload.length))
      this.#sum = crc32(this.#payload.subarray(from, this.#filled), this.#sum);
    if (this.#filled === this.#payload.length) this.#end(this.#current);
  }

  /** Takes bytes that lie somewhere else. @throws RunError */
  push(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; ) {
      const { space } = this;
      const part = bytes.subarray(start, start + space.length);
      space.set(part);
      start += part.length;
      this.advance(part.length);
    }
  }

  #end({ frame, checksum }: DecodedHeader): void {
    const digest = isLong(frame.length)
      ? (this.#handler.digest?.(frame) ?? digestOf(this.#payload, this.#hashBlocks))
      : undefined;
    if (digest !== undefined) this.#sum = crc32(digest, this.#sum);
    if (this.#sum !== checksum)
      throw new RunError("it sent a frame that was damaged on the way (wrong checksum)");
    const payload = this.#payload;
    this.#current = undefined;
    this.#payload = NOTHING;
    this.#filled = 0;
    this.#handler.complete(frame, payload, digest);
  }
}
