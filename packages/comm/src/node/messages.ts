// Messages between ranks over sockets: a letter says what comes, its vector follows in parts, the receiver acknowledges it
// when it is whole. A message is received where it arrives, whether or not anybody waits for it, and is matched to a receive
// by group, source and tag, in the order sent.

import { type ConfigValue, type Rank, seconds } from "@atoll/core";
import type { Handle } from "../communicator.ts";
import { PeerLostError } from "../disruptions.ts";
import type { Parcel } from "../mailboxes.ts";
import type { Letter, Membership } from "../member.ts";
import { textOfVector, vectorOfText } from "../vectorText.ts";
import type { Calls, RealClock, StartedCall } from "./calls.ts";
import { Dtype, type Frame, Kind } from "./frame.ts";
import type { BulkFrame, BulkSource, Landing } from "./peer.ts";
import type { Transfer } from "./shaper.ts";

/** What a letter says, as JSON. */
interface Envelope {
  readonly number: number;
  readonly group: string;
  readonly tag: number;
  /** Elements. */
  readonly length: number;
  /** Seconds. */
  readonly sent: number;
}

export interface PostLines {
  readonly rank: Rank;
  acknowledge(rank: Rank, number: number): void;
  add(rank: Rank, source: BulkSource): void;
  remove(rank: Rank, source: BulkSource): void;
  pump(rank: Rank): void;
  lossOf(rank: Rank): string | undefined;
}

export interface MessagesOptions {
  readonly clock: RealClock;
  readonly calls: Calls;
  readonly lines: PostLines;
  /** Key of the group of all ranks, whose messages need no name. */
  readonly everyone: string;
}

interface Receive {
  readonly source: Rank | "any";
  readonly group: string;
  readonly tag: number;
  /** Whom it can come from. */
  readonly sources: readonly Rank[];
  readonly handle: StartedCall<Parcel>;
}

/** Bytes of one part. */
const PART_BYTES = 1 << 18;

/** A message on its way out. */
class Outgoing implements BulkSource {
  readonly handle: StartedCall<void>;
  readonly bytes: number;
  readonly #envelope: Envelope;
  readonly #payload: Uint8Array;
  readonly #transfer: Transfer;
  readonly #onHandedOut: () => void;
  #next = -1;

  constructor(
    envelope: Envelope,
    vector: Float32Array,
    parts: { readonly handle: StartedCall<void>; readonly onHandedOut: () => void },
  ) {
    this.#envelope = envelope;
    this.#payload = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
    this.bytes = vector.byteLength;
    this.#transfer = { bytes: this.bytes, begin: envelope.sent, line: "message" };
    this.handle = parts.handle;
    this.#onHandedOut = parts.onHandedOut;
  }

  next(): BulkFrame | undefined {
    if (this.#next === this.bytes) return undefined;
    const stream = this.#envelope.number;
    const left = (): void => undefined;
    // The letter goes ahead of its vector; where there is none, it is the message.
    const transfer = this.bytes === 0 ? this.#transfer : undefined;
    if (this.#next === -1) {
      this.#next = 0;
      if (this.bytes === 0) this.#onHandedOut();
      const payload = new TextEncoder().encode(JSON.stringify(this.#envelope));
      return { fields: { kind: Kind.letter, stream }, payload, transfer, left };
    }
    const first = this.#next;
    const payload = this.#payload.subarray(first, first + PART_BYTES);
    this.#next += payload.length;
    if (this.#next === this.bytes) this.#onHandedOut();
    const fields = { kind: Kind.letterPart, dtype: Dtype.float32, stream, first };
    return { fields, payload, transfer: this.#transfer, left };
  }
}

export class Messages {
  readonly #options: MessagesOptions;
  /** By target, then number: sent and not acknowledged. */
  readonly #outgoing = new Map<Rank, Map<number, Outgoing>>();
  /** By source, then number: of which parts are missing. */
  readonly #incoming = new Map<Rank, Map<number, Parcel>>();
  /** In order of arrival. */
  readonly #parcels: Parcel[] = [];
  readonly #receives: Receive[] = [];
  #lastNumber = 0;

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  #nameOf(key: string): string {
    return key === this.#options.everyone ? "" : key;
  }

  send({ ranks, key }: Membership, { vector, to, tag, given }: Letter): Handle<void> {
    const { clock, calls, lines } = this.#options;
    const target = ranks[to]!;
    const handle = calls.begin<void>({ operation: "send", describe: () => `its message to rank ${target}` });
    // Nobody needs to wait for a message that was sent, so it counts at once and is not kept open.
    calls.close(handle.id);
    calls.countBytes(vector.byteLength);
    const cause = lines.lossOf(target);
    if (cause !== undefined) {
      handle.fail(this.#lossError(`send to rank ${target}`, target, cause));
      return handle;
    }
    const number = ++this.#lastNumber;
    const envelope = { number, group: this.#nameOf(key), tag, length: vector.length, sent: clock.now() };
    const outgoing: Outgoing = new Outgoing(envelope, given ? vector : vector.slice(), {
      handle,
      onHandedOut: () => lines.remove(target, outgoing),
    });
    const letters = this.#outgoing.get(target) ?? new Map<number, Outgoing>();
    this.#outgoing.set(target, letters);
    letters.set(number, outgoing);
    lines.add(target, outgoing);
    lines.pump(target);
    return handle;
  }

  /** A rank has all of a message of this one. */
  acknowledged(rank: Rank, number: number): void {
    const outgoing = this.#outgoing.get(rank)?.get(number);
    if (outgoing === undefined) return;
    this.#outgoing.get(rank)!.delete(number);
    const { ready } = outgoing.handle;
    outgoing.handle.settle({ lastReady: ready, end: this.#options.clock.now(), bytes: 0, value: undefined });
  }

  #lossError(what: string, lost: Rank, cause: string): PeerLostError {
    const { clock, lines } = this.#options;
    return new PeerLostError(what, [lines.rank, lost], { at: clock.now(), lost: [lost], cause });
  }

  /** A letter has come. @throws Error if it is none */
  letter(source: Rank, payload: Uint8Array): void {
    const { number, group, tag, length, sent } = JSON.parse(new TextDecoder().decode(payload)) as Envelope;
    const vector = new Float32Array(length);
    const parcel = {
      source,
      target: this.#options.lines.rank,
      group,
      tag,
      sent: seconds(sent),
      arrived: seconds(0),
      vector,
    };
    const incoming = this.#incoming.get(source) ?? new Map<number, Parcel>();
    this.#incoming.set(source, incoming);
    incoming.set(number, parcel);
    if (length === 0) this.#arrived(source, number);
  }

  /** Where a part of a message is to lie; undefined if there is no such message. */
  receivePart(source: Rank, { stream: number, first, length }: Frame): Landing | undefined {
    const vector = this.#incoming.get(source)?.get(number)?.vector;
    if (vector === undefined || first + length > vector.byteLength) return undefined;
    return {
      elements: new Uint8Array(vector.buffer, first, length),
      complete: () => void (first + length === vector.byteLength && this.#arrived(source, number)),
    };
  }

  #arrived(source: Rank, number: number): void {
    const incoming = this.#incoming.get(source)!;
    const parcel = { ...incoming.get(number)!, arrived: this.#options.clock.now() };
    incoming.delete(number);
    this.#options.lines.acknowledge(source, number);
    const receive = this.#receives.find((waiting) => fits(parcel, waiting));
    if (receive === undefined) this.#parcels.push(parcel);
    else this.#hand(receive, parcel);
  }

  receive({ ranks, key, member }: Membership, from: Rank | "any", tag: number): Handle<Parcel> {
    const source = from === "any" ? from : ranks[from]!;
    const whom = source === "any" ? "any rank" : `rank ${source}`;
    const handle = this.#options.calls.begin<Parcel>({
      operation: "recv",
      describe: () => `recv(from ${whom}, tag ${tag})`,
    });
    const sources = source === "any" ? ranks.filter((_, other) => other !== member) : [source];
    const receive = { source, group: this.#nameOf(key), tag, sources, handle };
    const first = this.#parcels.find((parcel) => fits(parcel, receive));
    if (first !== undefined) {
      this.#parcels.splice(this.#parcels.indexOf(first), 1);
      this.#hand(receive, first);
    } else {
      this.#receives.push(receive);
      this.#failHopeless();
    }
    return handle;
  }

  #hand(receive: Receive, parcel: Parcel): void {
    const at = this.#receives.indexOf(receive);
    if (at !== -1) this.#receives.splice(at, 1);
    const end = Math.max(this.#options.clock.now(), receive.handle.ready);
    receive.handle.settle({ lastReady: Math.min(parcel.sent, end), end, bytes: 0, value: parcel });
  }

  /** Takes out what has arrived, in order of arrival. */
  arrived({ key }: Membership, tag: number): readonly Parcel[] {
    const group = this.#nameOf(key);
    const here = this.#parcels.filter((parcel) => parcel.group === group && parcel.tag === tag);
    for (const parcel of here) this.#parcels.splice(this.#parcels.indexOf(parcel), 1);
    return here;
  }

  /** Fails the receives that nobody is left for. What has arrived of a lost rank can be received all the same. */
  #failHopeless(): void {
    const { lines } = this.#options;
    for (const receive of [...this.#receives]) {
      const lost = receive.sources.find((rank) => lines.lossOf(rank) !== undefined);
      if (lost === undefined || receive.sources.some((rank) => lines.lossOf(rank) === undefined)) continue;
      this.#receives.splice(this.#receives.indexOf(receive), 1);
      receive.handle.fail(this.#lossError(`recv from rank ${lost}`, lost, lines.lossOf(lost)!));
    }
  }

  lose(rank: Rank, cause: string): void {
    this.#incoming.delete(rank);
    for (const outgoing of this.#outgoing.get(rank)?.values() ?? []) {
      this.#options.lines.remove(rank, outgoing);
      outgoing.handle.fail(this.#lossError(`send to rank ${rank}`, rank, cause));
    }
    this.#outgoing.delete(rank);
    this.#failHopeless();
  }

  close(error: unknown): void {
    for (const letters of this.#outgoing.values())
      for (const outgoing of letters.values()) outgoing.handle.fail(error);
    for (const receive of this.#receives.splice(0)) receive.handle.fail(error);
  }

  /** What has arrived and was not received. */
  snapshot(): ConfigValue {
    return this.#parcels.map(({ vector, ...parcel }) => ({ ...parcel, vector: textOfVector(vector) }));
  }

  restore(snapshot: ConfigValue): void {
    this.#parcels.length = 0;
    for (const { vector, ...parcel } of snapshot as unknown as (Omit<Parcel, "vector"> & {
      vector: string;
    })[])
      this.#parcels.push({ ...parcel, vector: vectorOfText(vector) });
  }
}

const fits = (parcel: Parcel, { source, group, tag }: Receive): boolean =>
  parcel.group === group && parcel.tag === tag && (source === "any" || source === parcel.source);
