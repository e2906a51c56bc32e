// Random calls of all kinds, and what a rank ends with when it makes them: so that worlds can be held against each other.

import { crc32 } from "node:zlib";
import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { int8 } from "../../codecs/int8.ts";
import type { Communicator, Handle } from "../../communicator.ts";
import { ALL_REDUCE_CHOICES } from "../../schedules/allReduce.ts";

type Step =
  | {
      readonly kind: "allReduce";
      readonly algorithm?: (typeof ALL_REDUCE_CHOICES)[number];
      readonly blockSize?: number;
      readonly op: "sum" | "mean";
      readonly apart: boolean;
      readonly lent: boolean;
    }
  | { readonly kind: "reduceScatter"; readonly op: "sum" | "mean" }
  | { readonly kind: "broadcast" | "gather"; readonly root: number }
  | { readonly kind: "allGather" | "allToAll" | "barrier" | "neighbours" };

export interface Turn {
  readonly step: Step;
  readonly length: number;
  /** Decides who takes part: all, or some in an order of their own. */
  readonly group: number;
  /** Whether it is started before the turn before it is waited for. */
  readonly overlaps: boolean;
}

const op = fc.constantFrom("sum" as const, "mean" as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant("allReduce" as const),
      algorithm: fc.constantFrom(...ALL_REDUCE_CHOICES),
      op,
      apart: fc.boolean(),
      lent: fc.boolean(),
    }),
    weight: 4,
  },
  fc.record({
    kind: fc.constant("allReduce" as const),
    blockSize: fc.constantFrom(3, 64),
    op,
    apart: fc.boolean(),
    lent: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("reduceScatter" as const), op }),
  fc.record({ kind: fc.constantFrom("broadcast" as const, "gather" as const), root: fc.nat(20) }),
  fc.record({
    kind: fc.constantFrom(
      "allGather" as const,
      "allToAll" as const,
      "barrier" as const,
      "neighbours" as const,
    ),
  }),
);
/** Some longer than a cell, even in parts. */
const length = fc.oneof(
  { arbitrary: fc.nat(40), weight: 5 },
  { arbitrary: fc.nat(3000), weight: 5 },
  { arbitrary: fc.integer({ min: 260_000, max: 900_000 }), weight: 1 },
);
export const turn: fc.Arbitrary<Turn> = fc.record({ step, length, group: fc.nat(5), overlaps: fc.boolean() });

/** What a member ends a turn with. */
type Outcome = () => Promise<readonly Float32Array[]>;

function begin(communicator: Communicator, { step, length }: Turn, key: readonly number[]): Outcome {
  const { rank, worldSize, start } = communicator;
  const random = createRandom(7).derive(...key, rank);
  const vector = (size: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * (random.key[0] % 1000) + random.key[1]));
  const uneven = (other: number): number => (length * (rank + 2 * other)) % 97;
  const x = vector(length);
  const given =
    (handle: Handle<readonly Float32Array[]>): Outcome =>
    () =>
      handle.wait();
  const inPlace =
    (handle: Handle<void>): Outcome =>
    async () => {
      await handle.wait();
      return [x];
    };
  switch (step.kind) {
    case "allReduce": {
      const { algorithm, blockSize, op } = step;
      const codec = blockSize === undefined ? {} : { codec: int8({ blockSize }) };
      const options = { op, ...codec, ...(algorithm === undefined ? {} : { algorithm }) };
      if (!step.apart) return inPlace(start.allReduce(x, options));
      const { lent } = step;
      const handle = start.allReduced(x, { ...options, lent });
      return async () => [await handle.wait(), ...(lent ? [] : [x])];
    }
    case "reduceScatter": {
      const handle = start.reduceScatter(x, { op: step.op });
      return async () => [await handle.wait(), x];
    }
    case "broadcast":
      return inPlace(start.broadcast(x, step.root % worldSize));
    case "gather":
      return given(start.gather(vector(uneven(1)), step.root % worldSize));
    case "allGather":
      return given(start.allGather(vector(uneven(0))));
    case "allToAll":
      return given(start.allToAll(Array.from({ length: worldSize }, (_, other) => vector(uneven(other)))));
    case "barrier":
      return inPlace(start.barrier());
    case "neighbours": {
      if (worldSize === 1) return async () => [];
      start.send(x, (rank + 1) % worldSize, 5);
      const handle = start.recv((rank + worldSize - 1) % worldSize, 5);
      return async () => [(await handle.wait()).vector];
    }
  }
}

/** Takes a rank through all turns. @returns the bits of all that it ended with, and the bytes that it sent */
export async function live(
  communicator: Communicator,
  turns: readonly Turn[],
  seed: number,
): Promise<{ readonly results: readonly string[]; readonly bytes: number }> {
  const results: string[] = [];
  let pending: Outcome[] = [];
  const finish = async (): Promise<void> => {
    for (const outcome of pending)
      for (const vector of await outcome()) {
        const bits = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
        results.push(`${vector.length} floats, ${crc32(bits).toString(16)}`);
      }
    pending = [];
  };
  for (const [number, turn] of turns.entries()) {
    const random = createRandom(seed).derive(number);
    const everyone = random.permutation(communicator.worldSize);
    const members = turn.group === 0 ? everyone.slice(0, 1 + (turn.length % everyone.length)) : everyone;
    if (!turn.overlaps) await finish();
    if (members.includes(communicator.rank)) {
      const group = turn.group === 1 ? communicator : communicator.group([...members]);
      pending.push(begin(group, turn, [seed, number]));
    }
  }
  await finish();
  return { results, bytes: communicator.bytesSent };
}
