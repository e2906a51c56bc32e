// One member's part of a schedule: what it sends and receives, in order, and what each of these has to wait for. A chunk is
// cut into cells; each cell goes through the schedule on its own, so that receiving, adding and forwarding of a long vector
// overlap. What keeps the order is counted per chunk: how many received transfers have to be applied before it is sent,
// and how many sends have to have left before it is overwritten. So each element sees the schedule's own order of additions.

import type { Action, Schedule } from "../schedule.ts";

/** Most elements of a cell: what is added, forwarded and checked at once. 1 MiB of floats. */
export const CELL_LENGTH = 262_144;

/** One transfer as its member sees it. Cells are numbered through all chunks; transfer covers `firstCell` … `endCell` − 1. */
export interface Operation {
  /** The other member. */
  readonly peer: number;
  /** Which of the member's own rounds it belongs to. */
  readonly round: number;
  readonly firstChunk: number;
  readonly firstCell: number;
  readonly endCell: number;
  /** By chunk of the transfer: received transfers that are applied to it before. */
  readonly applied: Int32Array;
  /** By chunk of the transfer: sends of it that have left before. Of a send: none. */
  readonly left: Int32Array;
}

export interface Receipt extends Operation {
  readonly action: Action;
}

export interface MemberPlan {
  readonly chunkStarts: Int32Array;
  /** Element at which each cell starts; one entry more than there are cells. */
  readonly cellStarts: Int32Array;
  readonly chunkOfCell: Int32Array;
  /** By the other member, in order. */
  readonly sends: ReadonlyMap<number, readonly Operation[]>;
  readonly receipts: ReadonlyMap<number, readonly Receipt[]>;
  /** All receipts, in the order in which they are applied where they meet. */
  readonly inOrder: readonly Receipt[];
  /** Transfers in and out in each round in which the member has any. */
  readonly perRound: Int32Array;
}

/** @param member whose part */
export function planMember({ chunkStarts, rounds }: Schedule, member: number): MemberPlan {
  const { cellStarts, chunkOfCell, cellsBefore } = cutIntoCells(chunkStarts);
  const chunkCount = chunkStarts.length - 1;
  const applied = new Int32Array(chunkCount);
  const left = new Int32Array(chunkCount);
  const sends = new Map<number, Operation[]>();
  const receipts = new Map<number, Receipt[]>();
  const inOrder: Receipt[] = [];
  const perRound: number[] = [];
  for (const { action, sources, targets, chunks, chunkCounts } of rounds()) {
    const round = perRound.length;
    const operation = (i: number, peer: number): Operation => {
      const firstChunk = chunks[i]!;
      const end = firstChunk + (chunkCounts?.[i] ?? 1);
      return {
        peer,
        round,
        firstChunk,
        firstCell: cellsBefore[firstChunk]!,
        endCell: cellsBefore[end]!,
        applied: applied.slice(firstChunk, end),
        left: left.slice(firstChunk, end),
      };
    };
    let own = 0;
    for (let i = 0; i < sources.length; i++) {
      if (sources[i] !== member) continue;
      const send = operation(i, targets[i]!);
      listOf(sends, send.peer).push(send);
      own++;
    }
    // What a round sends is what was there when it began, whatever it receives.
    for (let i = 0; i < sources.length; i++)
      if (sources[i] === member) addTo(left, chunks[i]!, chunkCounts?.[i]);
    for (let i = 0; i < sources.length; i++) {
      if (targets[i] !== member) continue;
      const receipt = { ...operation(i, sources[i]!), action };
      listOf(receipts, receipt.peer).push(receipt);
      inOrder.push(receipt);
      addTo(applied, chunks[i]!, chunkCounts?.[i]);
      own++;
    }
    if (own > 0) perRound.push(own);
  }
  return {
    chunkStarts,
    cellStarts,
    chunkOfCell,
    sends,
    receipts,
    inOrder,
    perRound: Int32Array.from(perRound),
  };
}

function listOf<T>(lists: Map<number, T[]>, key: number): T[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

function addTo(counts: Int32Array, firstChunk: number, chunkCount = 1): void {
  for (let chunk = firstChunk; chunk < firstChunk + chunkCount; chunk++) counts[chunk]!++;
}

/** An empty chunk has a cell, too: that it has come is what its receiver waits for. */
function cutIntoCells(chunkStarts: Int32Array): {
  readonly cellStarts: Int32Array;
  readonly chunkOfCell: Int32Array;
  readonly cellsBefore: Int32Array;
} {
  const chunkCount = chunkStarts.length - 1;
  const cellsBefore = new Int32Array(chunkCount + 1);
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    const length = chunkStarts[chunk + 1]! - chunkStarts[chunk]!;
    cellsBefore[chunk + 1] = cellsBefore[chunk]! + Math.max(1, Math.ceil(length / CELL_LENGTH));
  }
  const cellStarts = new Int32Array(cellsBefore[chunkCount]! + 1);
  const chunkOfCell = new Int32Array(cellsBefore[chunkCount]!);
  for (let chunk = 0; chunk < chunkCount; chunk++)
    for (let cell = cellsBefore[chunk]!; cell < cellsBefore[chunk + 1]!; cell++) {
      cellStarts[cell] = chunkStarts[chunk]! + (cell - cellsBefore[chunk]!) * CELL_LENGTH;
      chunkOfCell[cell] = chunk;
    }
  cellStarts[cellStarts.length - 1] = chunkStarts[chunkCount] ?? 0;
  return { cellStarts, chunkOfCell, cellsBefore };
}
