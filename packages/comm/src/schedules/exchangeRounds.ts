// The rounds of a direct exchange: in round k every member sends one chunk to the member k places on. So in each round
// everyone sends to one member and receives from one.

import type { Action, Round } from "../schedule.ts";

/** `size` − 1 rounds. @param chunkOf which chunk goes from a source to a target */
export function* exchangeRounds(
  size: number,
  action: Action,
  chunkOf: (source: number, target: number) => number,
): Generator<Round> {
  const sources = Int32Array.from({ length: size }, (_, member) => member);
  for (let distance = 1; distance < size; distance++) {
    const targets = sources.map((source) => (source + distance) % size);
    const chunks = sources.map((source) => chunkOf(source, targets[source]!));
    yield { action, sources, targets, chunks };
  }
}
