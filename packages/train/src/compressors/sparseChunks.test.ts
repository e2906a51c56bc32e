// Messages of chunks' largest elements against a selection by sorting, wherever the vectors lie. Not the strategy, which has its
// tests beside it.

import { createHeap } from "@atoll/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import { normals } from "../test/vectors.ts";
import {
  entriesLength,
  messageBytes,
  roomOf,
  type Sparsity,
  sparseDecode,
  sparseEncode,
  sparseStep,
  sparsityNumbers,
} from "./sparseChunks.ts";

const settings = fc.record({
  length: fc.integer({ min: 1, max: 700 }),
  sparsity: fc.record({
    chunkSize: fc.constantFrom(1, 7, 64, 256),
    density: fc.double({ min: 0.001, max: 1, noNaN: true }),
    quantise: fc.boolean(),
  }),
  // Many equal magnitudes, chunks of zeros, and numbers of all kinds.
  value: fc.constantFrom(
    (draw: number) => draw,
    (draw: number) => Math.round(2 * draw),
    (draw: number) => (Math.abs(draw) > 2.5 ? draw : 0),
  ),
  seed: fc.nat(),
});

type Place = (length: number) => Float32Array;

/** Two messages of one node and what is left of it, then the step that both together make. */
function exchange(
  place: Place,
  {
    length,
    sparsity,
    value,
    seed,
  }: { length: number; sparsity: Sparsity; value: (x: number) => number; seed: number },
) {
  const numbers = { ...sparsityNumbers(sparsity), beta: 0.75 };
  const filled = (stream: number): Float32Array => {
    const vector = place(length);
    vector.set(normals(length, seed + stream).map(value));
    return vector;
  };
  const room = Object.entries(roomOf(length, sparsity)).map(([name, size]) => [name, place(size)]);
  const vectors = {
    residual: filled(1),
    anchor: filled(2),
    parameters: filled(3),
    ...(Object.fromEntries(room) as Record<keyof ReturnType<typeof roomOf>, Float32Array>),
  };
  const rounds = [0, 1].map(() => {
    const before = vectors.residual.slice();
    sparseEncode(vectors, numbers);
    const message = place(vectors.message.length);
    message.set(vectors.message);
    return { before, message, residual: vectors.residual.slice() };
  });
  const entries = place(entriesLength(length, sparsity, 2));
  const messages = { 0: rounds[0]!.message, 1: rounds[1]!.message };
  sparseDecode({ ...messages, entries }, { ...numbers, count: 2, length });
  const start = vectors.anchor.slice();
  const changed = { anchor: vectors.anchor, parameters: place(length), entries };
  sparseStep(changed, { count: 2, scale: -0.5 });
  return { ...vectors, rounds, start, moved: changed.parameters, entries };
}

const plain: Place = (length) => new Float32Array(length);

/** The places of the largest elements, by the definition. */
function largest(x: readonly number[], { chunkSize, density }: Sparsity): readonly number[] {
  const starts = [...x.keys()].filter((i) => i % chunkSize === 0);
  return starts.flatMap((start) => {
    const chunk = x
      .slice(start, start + chunkSize)
      .map((value, i) => ({ size: Math.abs(value), i: start + i }));
    const k = Math.max(1, Math.round(density * chunk.length));
    const kept = chunk.sort((a, b) => b.size - a.size || a.i - b.i).slice(0, k);
    return kept.map(({ i }) => i).sort((a, b) => a - b);
  });
}

test("the largest of βe + (θ₀ − θ) are sent, and what receivers make of them is taken from it", () => {
  fc.assert(
    fc.property(settings, (setting) => {
      const { length, sparsity } = setting;
      const { rounds, start, parameters, entries, moved, anchor } = exchange(plain, setting);
      const count = entries.length / 4;
      const expected = start.slice();
      for (const [round, { before, message, residual }] of rounds.entries()) {
        expect(message.byteLength).toBe(4 * Math.ceil(messageBytes(length, sparsity) / 4));
        const whole = before.map((e, i) => 0.75 * e + (start[i]! - parameters[i]!));
        const places = new Uint32Array(entries.slice(round * count, (round + 1) * count).buffer);
        expect([...places]).toEqual(largest([...whole], sparsity));
        const left = whole.slice();
        for (const [j, place] of places.entries()) {
          const value = entries[(2 + round) * count + j]!;
          if (!sparsity.quantise) expect(value).toBe(whole[place]);
          left[place]! -= value;
          expected[place]! += -0.5 * value;
        }
        expect([...residual]).toEqual([...left]);
      }
      expect([...moved]).toEqual([...expected]);
      expect([...anchor]).toEqual([...expected]);
    }),
  );
});

test("messages, what is left, and steps have the same bits in shared memory as in plain arrays", () => {
  fc.assert(
    fc.property(settings, (setting) => {
      const heap = createHeap();
      // Off their beginnings, which are those of cache lines.
      const shared = exchange((length) => heap.alloc(length + 1).subarray(1), setting);
      const expected = exchange(plain, setting);
      const bits = (of: typeof shared) => ({
        messages: of.rounds.map(({ message }) => [...new Uint32Array(message.slice().buffer)]),
        residuals: of.rounds.map(({ residual }) => [...residual]),
        moved: [...of.moved],
      });
      expect(bits(shared)).toEqual(bits(expected));
    }),
  );
});
