// Messages between two ranks, in flight and waited for. A message is matched to a receive by group, source and tag, in the
// order sent. A receive from one source is matched as soon as the message is sent; one from "any" only when the clock has
// come to the earliest arrival, since until then another rank may send something that arrives before. In the same way a
// rank that only looks what is there is answered when the clock has come to the moment at which it looks.

import { bytes, type ConfigValue, type Rank, type Seconds, seconds } from "@atoll/core";
import type { Network, VirtualClock } from "@atoll/network";
import { type Disruptions, PeerLostError } from "./disruptions.ts";
import type { Exchanges } from "./exchanges.ts";
import type { Started } from "./started.ts";
import { textOfVector, vectorOfText } from "./vectorText.ts";

/** A message on its way, or arrived and not received. Ranks are world ranks. */
export interface Parcel {
  readonly source: Rank;
  readonly target: Rank;
  /** Key of the group that it was sent in. */
  readonly group: string;
  readonly tag: number;
  readonly sent: Seconds;
  readonly arrived: Seconds;
  readonly vector: Float32Array;
}

/** Which messages a rank would take. */
interface Wanted {
  readonly source: Rank | "any";
  readonly group: string;
  readonly tag: number;
}

interface Receive extends Wanted {
  readonly started: Started<Parcel>;
}

/** Never is Infinity, of which JSON makes null. */
type SavedMoment = number | null;

export interface MailboxSnapshot {
  /** Messages in the order sent; their floats as text, see vectorText.ts. */
  readonly parcels: readonly {
    readonly source: number;
    readonly target: number;
    readonly group: string;
    readonly tag: number;
    readonly sent: number;
    readonly arrived: SavedMoment;
    readonly vector: string;
  }[];
  /** Until when each rank's line is taken by the messages it has sent. */
  readonly busyUntil: readonly SavedMoment[];
  /** When the latest message of each pair, source and target, arrives; snapshots of older versions have none. */
  readonly latest?: readonly (readonly [source: Rank, target: Rank, arrived: SavedMoment])[];
}

export interface MailboxOptions {
  readonly network: Network;
  readonly clock: VirtualClock;
  readonly disruptions?: Disruptions | undefined;
}

const ELEMENT = Float32Array.BYTES_PER_ELEMENT;

export class Mailboxes {
  readonly #network: Network;
  readonly #clock: VirtualClock;
  readonly #disruptions: Disruptions | undefined;
  readonly #exchanges: Exchanges;
  /** By target: what was sent to it and not received, in the order sent, and what it waits for. */
  readonly #parcels: Parcel[][];
  readonly #receives: Receive[][];
  #busyUntil: Seconds[];
  /** By target, then source: when the latest message arrives, be it received already or not. */
  readonly #latest: Map<Rank, Seconds>[];

  constructor({ network, clock, disruptions }: MailboxOptions, exchanges: Exchanges) {
    const { worldSize } = network.topology;
    this.#network = network;
    this.#clock = clock;
    this.#disruptions = disruptions;
    this.#exchanges = exchanges;
    this.#parcels = Array.from({ length: worldSize }, () => []);
    this.#receives = Array.from({ length: worldSize }, () => []);
    this.#busyUntil = Array.from({ length: worldSize }, () => seconds(0));
    this.#latest = Array.from({ length: worldSize }, () => new Map());
  }

  /** True while a rank has started to receive something that nobody has sent yet. */
  get isReceiving(): boolean {
    return this.#receives.some((receives) => receives.length > 0);
  }

  /**
   * Sends a vector, which is the receiver's from now on. A rank's messages leave one after another, and those of one pair
   * arrive in that order.
   */
  send(letter: Omit<Parcel, "arrived">): Parcel {
    const { source, target, sent, vector } = letter;
    const start = seconds(Math.max(sent, this.#busyUntil[source]!));
    const size = vector.length * ELEMENT;
    const { left, ...there } = this.#network.send(source, target, bytes(size), start, {
      among: this.#exchanges.of(source),
    });
    // What a sender has not sent whole when it crashes never arrives: once it is back it does not know of it.
    const crash = this.#disruptions?.losses([source], [start])[0] ?? Number.POSITIVE_INFINITY;
    const arrived = crash < left ? Number.POSITIVE_INFINITY : there.arrived;
    // What can never leave does not hold up what is sent to others, nor does what stands still once the receiver is lost.
    if (left < Number.POSITIVE_INFINITY) {
      const undertaking = { ranks: [source, target], ready: [start, start], end: [left, left] };
      const broken = this.#disruptions?.find(undertaking)?.at ?? left;
      this.#busyUntil[source] = seconds(Math.min(left, broken));
    }
    const latest = this.#latest[target]!;
    const parcel: Parcel = { ...letter, arrived: seconds(Math.max(arrived, latest.get(source) ?? 0)) };
    latest.set(source, parcel.arrived);
    this.#parcels[target]!.push(parcel);
    const receive = this.#receives[target]!.find((waiting) => fits(parcel, waiting));
    if (receive !== undefined) this.#match(target, receive);
    return parcel;
  }

  receive(target: Rank, receive: Receive): void {
    this.#receives[target]!.push(receive);
    this.#match(target, receive);
  }

  /** Takes out what has arrived at `target` by its present time, in order of arrival, then of senders. */
  arrived(target: Rank, { group, tag }: Pick<Parcel, "group" | "tag">): Promise<readonly Parcel[]> {
    const now = this.#clock.forRank(target).now();
    const wait = this.#clock.wait<readonly Parcel[]>(target, () => `what has arrived by ${now} s`);
    this.#clock.at(now, target, () => {
      const own = this.#parcels[target]!;
      const here = own
        .filter((parcel) => parcel.group === group && parcel.tag === tag && parcel.arrived <= now)
        .sort((a, b) => a.arrived - b.arrived || a.source - b.source);
      for (const parcel of here) remove(own, parcel);
      wait.resolveAt(now, here);
    });
    return wait.promise;
  }

  /** Gives a receive its message if it is known which one that is; otherwise comes back when it will be. */
  #match(target: Rank, receive: Receive): void {
    const first = this.#earliest(target, receive);
    if (first === undefined) return;
    if (receive.source === "any") {
      const time = seconds(Math.max(first.arrived, receive.started.ready));
      this.#clock.at(time, target, () => this.#matchAny(target, receive, time));
    } else this.#hand(target, receive, first);
  }

  /** The message that fits and arrives first, up to a moment; of two at the same time that of the lower rank. */
  #earliest(target: Rank, wanted: Wanted, until = Number.POSITIVE_INFINITY): Parcel | undefined {
    let best: Parcel | undefined;
    for (const parcel of this.#parcels[target]!) {
      if (!fits(parcel, wanted) || parcel.arrived > until) continue;
      const { arrived, source } = parcel;
      if (best === undefined || arrived < best.arrived || (arrived === best.arrived && source < best.source))
        best = parcel;
    }
    return best;
  }

  #matchAny(target: Rank, receive: Receive, now: Seconds): void {
    if (!this.#receives[target]!.includes(receive)) return;
    const first = this.#earliest(target, receive, now);
    // Another receive may have taken the message that this one was woken for.
    if (first === undefined) this.#match(target, receive);
    else this.#hand(target, receive, first);
  }

  #hand(target: Rank, receive: Receive, parcel: Parcel): void {
    const { source, sent, arrived } = parcel;
    const { started } = receive;
    const end = seconds(Math.max(arrived, started.ready));
    const isCutOff = end === Number.POSITIVE_INFINITY;
    // What a sender has sent gets through even if the sender is lost then, as long as the network holds together: if it does
    // not, the receiver waits until it learns that the sender is lost.
    const needed = isCutOff ? end : sent;
    const undertaking = { ranks: [target, source], ready: [started.ready, sent], end: [end, needed] };
    const disruption = this.#disruptions?.find(undertaking);
    // It waits for good, or until the run ends for another reason.
    if (disruption === undefined && isCutOff) return;
    remove(this.#receives[target]!, receive);
    remove(this.#parcels[target]!, parcel);
    if (disruption === undefined) started.settle({ lastReady: sent, end, bytes: 0, value: parcel });
    else started.breakOff(disruption.at, new PeerLostError(`recv from rank ${source}`, [target], disruption));
  }

  /** Why a receive still waits, if that is known: the end of a sentence. */
  obstacle(target: Rank, wanted: Wanted): string {
    return this.#earliest(target, wanted)?.arrived === Number.POSITIVE_INFINITY
      ? ", whose message can never arrive, since the links between them stay down or carry next to nothing"
      : "";
  }

  /** Forgets what a rank waits for and what was sent to it. */
  drop(rank: Rank): void {
    this.#parcels[rank]!.length = 0;
    this.#receives[rank]!.length = 0;
    this.#latest[rank]!.clear();
    // Once it is back it sends on connections of its own, in whose order what was cut off for good has no place.
    for (const sources of this.#latest)
      if (sources.get(rank) === Number.POSITIVE_INFINITY) sources.delete(rank);
  }

  snapshot(): ConfigValue {
    const parcels = this.#parcels.flat().map(({ vector, ...parcel }) => ({
      ...parcel,
      vector: textOfVector(vector),
    }));
    const latest = this.#latest.flatMap((sources, target) =>
      [...sources].map(([source, arrived]) => [source, target, arrived]),
    );
    return { parcels, busyUntil: [...this.#busyUntil], latest };
  }

  restore({ parcels, busyUntil, latest = [] }: MailboxSnapshot): void {
    for (const own of this.#parcels) own.length = 0;
    for (const sources of this.#latest) sources.clear();
    for (const [source, target, arrived] of latest) this.#latest[target]!.set(source, momentOf(arrived));
    for (const { vector, sent, arrived, ...parcel } of parcels) {
      this.#parcels[parcel.target]!.push({
        ...parcel,
        sent: seconds(sent),
        arrived: momentOf(arrived),
        vector: vectorOfText(vector),
      });
    }
    this.#busyUntil = busyUntil.map(momentOf);
  }
}

const momentOf = (saved: SavedMoment): Seconds => seconds(saved ?? Number.POSITIVE_INFINITY);

const fits = (parcel: Parcel, { source, group, tag }: Wanted): boolean =>
  parcel.group === group && parcel.tag === tag && (source === "any" || source === parcel.source);

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
}
