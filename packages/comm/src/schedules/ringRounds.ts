// The rounds that ring algorithms are made of: in each, every member sends one chunk to the next member.

import type { Action, Round } from "../schedule.ts";

/**
 * `size` − 1 rounds; in round k member r sends chunk (r + shift − k) mod `size` to member r + 1. The arrays of all rounds
 * are the same ones, rewritten: a ring among 1,000 members has two million transfers.
 */
export function* ringRounds(size: number, action: Action, shift: number): Generator<Round> {
  const sources = Int32Array.from({ length: size }, (_, member) => member);
  const targets = Int32Array.from({ length: size }, (_, member) => (member + 1) % size);
  const chunks = new Int32Array(size);
  const round: Round = { action, sources, targets, chunks };
  for (let k = 0; k < size - 1; k++) {
    let chunk = (shift - k + size) % size;
    for (let member = 0; member < size; member++) {
      chunks[member] = chunk;
      chunk = chunk + 1 === size ? 0 : chunk + 1;
    }
    yield round;
  }
}
