// Carries out one member's part of a schedule on its own vectors: says what can be sent, finds the place for what comes, and
// applies it as soon as the schedule's order allows. It knows no sockets: whoever has them asks it. What comes before it
// may be applied is staged: at most what the schedule sends here, and in practice what its senders differ by.

import { invariant, RunError } from "@atoll/core";
import type { SumDigests } from "./checksum.ts";
import { Landings } from "./landings.ts";
import { CELL_LENGTH, type MemberPlan, type Operation, type Receipt } from "./memberPlan.ts";
import type { Transfer } from "./shaper.ts";
import type { Elements, Staging } from "./staging.ts";

/** A part of a transfer that can be sent now: cells `first` … `first + count − 1` of it. */
export interface Outgoing {
  /** Which of the transfers to this peer. */
  readonly operation: number;
  readonly first: number;
  readonly count: number;
  readonly payload: Elements;
  /** The payload's, where it is known: it is sent on as it came, or was taken with the last addition (checksum.ts). */
  readonly digest: Uint8Array | undefined;
  readonly transfer: Transfer;
  /**
   * To be called when the payload may change again: it has left, or is lost with its connection.
   * @param at moment at which it arrives; 0 where nothing is shaped
   */
  left(isLost: boolean, at: number): void;
}

/** What a frame's header says of the part that comes. */
export interface Incoming {
  readonly operation: number;
  readonly first: number;
  readonly count: number;
}

export interface ExecutionOptions {
  readonly plan: MemberPlan;
  /** Where each chunk lies: one vector for all, or one a chunk (undefined where the member never has it). */
  readonly vectors: Elements | readonly (Elements | undefined)[];
  readonly staging: Staging;
  /** a ← a + b */
  readonly add: (a: Elements, b: Elements) => void;
  /** The same in one pass with the digests; undefined, and nothing is done, where there is no such pass. */
  readonly addWithDigests?: (a: Elements, b: Elements) => SumDigests | undefined;
  /** Whether a round begins only when the member's own transfers of the rounds before have ended. */
  readonly inRounds: boolean;
  /** Something has been applied or has left: there may be more to send. */
  readonly onProgress: () => void;
  /** All of the member's part is done. */
  readonly onDone: () => void;
}

/** Where a part is to lie. */
export interface Place {
  readonly elements: Elements;
  /** To be called when the part is there and counts later; `complete` does it otherwise. */
  read(): void;
  /** The part is there: applies it, if that is its turn, in one pass with taking its digest (checksum.ts). */
  digest?(): Uint8Array | undefined;
  /** @param digest of a long part, as it came */
  complete(at: number, digest?: Uint8Array): void;
}

/** A transfer under way: how far its cells have come. */
interface Progress<T extends Operation> {
  readonly operation: T;
  /** Of a send, once it has begun. */
  transfer?: Transfer;
  /** Cells that have been handed out, or announced by a header. */
  begun: number;
  ended: number;
}

/** A part that has come. */
interface Arrived {
  readonly firstCell: number;
  readonly endCell: number;
  readonly at: number;
  /** Of a long one (checksum.ts). */
  readonly digest: Uint8Array | undefined;
}

interface Staged extends Arrived {
  readonly elements: Elements;
  readonly release: () => void;
}

/** A part that lies there since it came, or since it was added to. */
interface Unchanged {
  readonly firstCell: number;
  readonly endCell: number;
  readonly digest: Uint8Array;
}

interface Receiving extends Progress<Receipt> {
  readonly staged: Staged[];
}

export class Execution {
  readonly #options: ExecutionOptions;
  readonly #applied: Int32Array;
  readonly #left: Int32Array;
  /** By cell. */
  readonly #unchanged: (Unchanged | undefined)[] = [];
  /** By peer: the transfers to it, and which of them is the first that is not yet handed out. */
  readonly #sends = new Map<number, { readonly list: readonly Progress<Operation>[]; next: number }>();
  readonly #receipts = new Map<number, { readonly list: readonly Receiving[]; next: number }>();
  readonly #inOrder: readonly Receiving[];
  readonly #roundsLeft: Int32Array;
  #round = 0;
  /** Moments, where the network's conditions are felt: when the present round began, and when all so far has ended. */
  #roundBegan = 0;
  #endedAt = 0;
  #open = false;
  #remaining: number;
  /** Frames that wait for others to be applied before them. */
  #waiting = 0;
  /** Parts that have been handed out and have not left. */
  #leaving = 0;
  readonly #landings = new Landings(() => this.#checkIdle());
  readonly #finished = new Set<number>();
  #cancelled: PromiseWithResolvers<void> | undefined;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    const { plan } = options;
    this.#applied = new Int32Array(plan.chunkOfCell.length);
    this.#left = new Int32Array(plan.chunkOfCell.length);
    this.#roundsLeft = plan.perRound.slice();
    this.#remaining = plan.perRound.reduce((sum, count) => sum + count, 0);
    for (const [peer, operations] of plan.sends)
      this.#sends.set(peer, {
        list: operations.map((operation) => ({ operation, begun: 0, ended: 0 })),
        next: 0,
      });
    const receiving = new Map<Receipt, Receiving>();
    for (const [peer, operations] of plan.receipts) {
      const list = operations.map((operation) => ({ operation, begun: 0, ended: 0, staged: [] }));
      for (const one of list) receiving.set(one.operation, one);
      this.#receipts.set(peer, { list, next: 0 });
    }
    this.#inOrder = plan.inOrder.map((receipt) => receiving.get(receipt)!);
  }

  /** The member's own chunks are there since a moment: it may send. */
  open(at: number): void {
    this.#open = true;
    this.#endedAt = Math.max(this.#endedAt, at);
    if (this.#round === 0) this.#roundBegan = at;
    if (this.#remaining === 0) this.#options.onDone();
    else this.#options.onProgress();
  }

  /** Moment at which the last that has ended so far did. */
  get endedAt(): number {
    return this.#endedAt;
  }

  /** The next part that can be sent to a peer now. */
  next(peer: number): Outgoing | undefined {
    const sends = this.#sends.get(peer);
    const progress = sends?.list[sends.next];
    if (!this.#open || this.#cancelled !== undefined) return undefined;
    if (sends === undefined || progress === undefined) return undefined;
    const { operation } = progress;
    if (this.#options.inRounds && operation.round > this.#round) return undefined;
    const first = progress.begun;
    const firstCell = operation.firstCell + first;
    const endCell = this.#endOfReady(operation, firstCell);
    if (endCell === firstCell) return undefined;
    const number = sends.next;
    this.#leaving++;
    progress.begun = endCell - operation.firstCell;
    if (endCell === operation.endCell) sends.next++;
    return {
      operation: number,
      first,
      count: endCell - firstCell,
      payload: this.#view(firstCell, endCell),
      digest: this.#digest(firstCell, endCell),
      transfer: this.#transfer(progress),
      left: (isLost, at) => {
        this.#leaving--;
        if ((!isLost || this.#finished.has(peer)) && this.#cancelled === undefined)
          this.#hasLeft(progress, firstCell, endCell, at);
        this.#checkIdle();
      },
    };
  }

  /**
   * Gives up. Ends when nobody reads or writes the member's vectors or staged cells any more: parts that are under way come
   * to their end, or their connections do.
   */
  cancel(): Promise<void> {
    this.#cancelled ??= Promise.withResolvers<void>();
    for (const { staged } of this.#inOrder) for (const { release } of staged.splice(0)) release();
    this.#waiting = 0;
    this.#checkIdle();
    return this.#cancelled.promise;
  }

  /** A peer has all that was sent to it, whatever becomes of its connections. */
  finish(peer: number): void {
    this.#finished.add(peer);
  }

  /** A peer's connections have ended: what was coming from it comes no further. */
  lose(peer: number): void {
    this.#landings.lose(peer);
  }

  #checkIdle(): void {
    if (this.#leaving === 0 && this.#landings.size === 0) this.#cancelled?.resolve();
  }

  /** As many cells from one on as are ready and go into one frame. */
  #endOfReady(operation: Operation, firstCell: number): number {
    const { cellStarts, chunkOfCell } = this.#options.plan;
    let cell = firstCell;
    for (; cell < operation.endCell; cell++) {
      const place = chunkOfCell[cell]! - operation.firstChunk;
      if (this.#applied[cell]! < operation.applied[place]!) break;
      if (cellStarts[cell + 1]! - cellStarts[firstCell]! > CELL_LENGTH) break;
    }
    return cell;
  }

  #view(firstCell: number, endCell: number): Elements {
    const { vectors, plan } = this.#options;
    const start = plan.cellStarts[firstCell]!;
    const end = plan.cellStarts[endCell]!;
    if (!Array.isArray(vectors)) return (vectors as Elements).subarray(start, end);
    const chunk = plan.chunkOfCell[firstCell]!;
    const vector = vectors[chunk] as Elements | undefined;
    invariant(vector !== undefined, `chunk ${chunk} of a schedule, which its member does not hold`);
    const before = plan.chunkStarts[chunk]!;
    return vector.subarray(start - before, end - before);
  }

  #digest(firstCell: number, endCell: number): Uint8Array | undefined {
    const unchanged = this.#unchanged[firstCell];
    if (unchanged?.firstCell !== firstCell || unchanged.endCell !== endCell) return undefined;
    for (let cell = firstCell; cell < endCell; cell++)
      if (this.#unchanged[cell] !== unchanged) return undefined;
    return unchanged.digest;
  }

  #transfer(progress: Progress<Operation>): Transfer {
    const { firstCell, endCell } = progress.operation;
    progress.transfer ??= {
      bytes: this.#view(firstCell, endCell).byteLength,
      begin: this.#roundBegan,
      line: "collective",
    };
    return progress.transfer;
  }

  #hasLeft(progress: Progress<Operation>, firstCell: number, endCell: number, at: number): void {
    for (let cell = firstCell; cell < endCell; cell++) this.#left[cell]!++;
    this.#advance(progress, endCell - firstCell, at);
    this.#applyStaged();
    this.#settle();
  }

  #advance(progress: Progress<Operation>, cells: number, at: number): void {
    const { operation } = progress;
    progress.ended += cells;
    this.#endedAt = Math.max(this.#endedAt, at);
    if (progress.ended < operation.endCell - operation.firstCell) return;
    this.#remaining--;
    this.#roundsLeft[operation.round]!--;
    while (this.#round < this.#roundsLeft.length && this.#roundsLeft[this.#round] === 0) {
      this.#round++;
      this.#roundBegan = this.#endedAt;
    }
  }

  #settle(): void {
    if (!this.#open) return;
    if (this.#remaining === 0) this.#options.onDone();
    else this.#options.onProgress();
  }

  /**
   * Where what comes from a peer is to lie, and what to call once it is there.
   * @throws RunError if it is not what the schedule lets that peer send next
   */
  receive(peer: number, { operation: number, first, count }: Incoming, byteLength: number): Place {
    const receipts = this.#receipts.get(peer);
    const receiving = receipts?.list[receipts.next];
    if (
      receipts === undefined ||
      receiving === undefined ||
      number !== receipts.next ||
      first !== receiving.begun
    )
      throw new RunError(`it sent part ${first} of transfer ${number}, which is not its turn`);
    const { operation } = receiving;
    const firstCell = operation.firstCell + first;
    const endCell = firstCell + count;
    const { cellStarts } = this.#options.plan;
    const length = endCell <= operation.endCell ? cellStarts[endCell]! - cellStarts[firstCell]! : -1;
    receiving.begun += count;
    if (endCell === operation.endCell) receipts.next++;
    const direct = operation.action === "copy" && this.#mayApply(receiving, firstCell, endCell);
    const view =
      length < 0 || !(direct || length <= CELL_LENGTH) ? undefined : this.#view(firstCell, endCell);
    if (view === undefined || view.byteLength !== byteLength)
      throw new RunError(
        `it sent ${byteLength} bytes for cells ${first} to ${first + count - 1} of transfer ${number}`,
      );
    if (direct) {
      const read = this.#landings.begin(peer);
      const complete = (at: number, digest?: Uint8Array): void => {
        read();
        this.#landed(receiving, { firstCell, endCell, at, digest });
      };
      return { elements: view, read, complete };
    }
    const { elements, release } = this.#options.staging.take(view);
    const read = this.#landings.begin(peer, release);
    let digests: SumDigests | undefined;
    const digest = (): Uint8Array | undefined => {
      if (operation.action === "copy" || this.#cancelled !== undefined) return undefined;
      if (this.#mayApply(receiving, firstCell, endCell))
        digests = this.#options.addWithDigests?.(view, elements);
      return digests?.added;
    };
    const complete = (at: number, digest?: Uint8Array): void => {
      read();
      if (this.#cancelled !== undefined || digests !== undefined) release();
      if (this.#cancelled !== undefined) return;
      if (digests !== undefined)
        this.#markApplied(receiving, { firstCell, endCell, at, digest: digests.sum });
      else {
        receiving.staged.push({ firstCell, endCell, elements, release, at, digest });
        this.#waiting++;
      }
      this.#applyStaged();
      this.#settle();
    };
    return { elements, read, digest, complete };
  }

  #landed(receiving: Receiving, part: Arrived): void {
    if (this.#cancelled !== undefined) return;
    this.#markApplied(receiving, part);
    this.#applyStaged();
    this.#settle();
  }

  /** Whether all that comes before a part has been applied, and has left. */
  #mayApply({ operation, staged }: Receiving, firstCell: number, endCell: number): boolean {
    if (staged.length > 0 && staged[0]!.firstCell !== firstCell) return false;
    const { chunkOfCell } = this.#options.plan;
    for (let cell = firstCell; cell < endCell; cell++) {
      const place = chunkOfCell[cell]! - operation.firstChunk;
      if (this.#applied[cell]! < operation.applied[place]! || this.#left[cell]! < operation.left[place]!)
        return false;
    }
    return true;
  }

  /** @param part with the digest of what lies there now, if that is known */
  #markApplied(receiving: Receiving, { firstCell, endCell, at, digest }: Arrived): void {
    const unchanged = digest && { firstCell, endCell, digest };
    for (let cell = firstCell; cell < endCell; cell++) {
      this.#applied[cell]!++;
      this.#unchanged[cell] = unchanged;
    }
    this.#advance(receiving, endCell - firstCell, at);
  }

  /** Applies what has been staged, as far as the order allows. */
  #applyStaged(): void {
    if (this.#waiting === 0) return;
    for (const receiving of this.#inOrder) {
      if (this.#waiting === 0) return;
      for (;;) {
        const next = receiving.staged[0];
        if (next === undefined || !this.#mayApply(receiving, next.firstCell, next.endCell)) break;
        receiving.staged.shift();
        this.#waiting--;
        const target = this.#view(next.firstCell, next.endCell);
        if (receiving.operation.action === "copy") target.set(next.elements as Float32Array);
        else this.#options.add(target, next.elements);
        next.release();
        const isCopy = receiving.operation.action === "copy";
        this.#markApplied(receiving, isCopy ? next : { ...next, digest: undefined });
      }
    }
  }
}
