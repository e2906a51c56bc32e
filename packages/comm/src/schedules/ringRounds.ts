// The rounds that ring algorithms are made of: in each, every member sends one chunk to the next member.

import type { Action, Round } from "../schedule.ts";

/**
 * `size` − 1 rounds; in round k member r sends chunk (r + shift − k) mod `size` to member r + 1. The chunks of all rounds are
 * parts of one array, twice around the ring: a ring among 1,000 members has two million transfers.
 */
export function* ringRounds(size: number, action: Action, shift: number): Generator<Round> {
  const sources = Int32Array.from({ length: size }, (_, member) => member);
  const targets = Int32Array.from({ length: size }, (_, member) => (member + 1) % size);
  const around = Int32Array.from({ length: 2 * size }, (_, place) => place % size);
  for (let k = 0; k < size - 1; k++) {
    const first = (shift - k + size) % size;
    yield { action, sources, targets, chunks: around.subarray(first, first + size) };
  }
}
