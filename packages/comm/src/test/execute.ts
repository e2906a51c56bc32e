// Carries a schedule out the way processes would: members that hold vectors of their own and send, add and copy chunks
// round by round. The oracle that the interpreter is tested against.

import type { Schedule } from "../schedule.ts";

/** What each member holds in the end, NaN where it has nothing. @param inputs what each holds at first, end to end */
export function execute(schedule: Schedule, inputs: readonly Float32Array[]): Float32Array[] {
  const { chunkStarts, rounds } = schedule;
  const vectors = inputs.map((input, member) => initialVector(schedule, input, member));
  for (const { action, sources, targets, chunks, chunkCounts } of rounds()) {
    const range = (i: number): [number, number] => [
      chunkStarts[chunks[i]!]!,
      chunkStarts[chunks[i]! + (chunkCounts?.[i] ?? 1)]!,
    ];
    const messages = Array.from(sources, (source, i) => vectors[source]!.slice(...range(i)));
    for (const [i, message] of messages.entries()) {
      const part = vectors[targets[i]!]!.subarray(...range(i));
      if (action === "copy") part.set(message);
      else for (const [j, value] of message.entries()) part[j]! += value;
    }
  }
  return vectors;
}

function initialVector(
  { chunkStarts, initially, ranks }: Schedule,
  input: Float32Array,
  member: number,
): Float32Array {
  if (initially === "whole") return input.slice();
  const own = new Float32Array(chunkStarts.at(-1)!).fill(Number.NaN);
  own.set(input, chunkStarts[initially === "ownChunk" ? member : member * ranks.length]!);
  return own;
}
