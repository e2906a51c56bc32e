// The cosine transforms of tiles in float32, with SIMD, of one thread: which tiles they serve, the scratch that they work in, and
// the tables that they look up there.

import { invariant } from "@atoll/core";
import {
  isSimdTile,
  memoryOf,
  type TileTransform,
  type TileWork,
  tileScratch,
  tileTables,
  tileTransform,
} from "@atoll/tensor/vectors";
import type { Shape } from "./tiles.ts";

const FLOAT_BYTES = 4;

export interface FastTile {
  readonly transform: TileTransform;
  readonly work: TileWork;
}

export interface FastDct {
  /** Elements of scratch, the end of which holds the tables. */
  readonly scratch: number;
  /** Writes the tables. */
  prepare(scratch: Float32Array): void;
  /** The transforms that work in this scratch, by shape; undefined where there is none. */
  on(scratch: Float32Array): readonly (FastTile | undefined)[];
}

/** @param longest elements of the longest tile, which scratch has room for whatever its shape */
export function fastDct(shapes: readonly Shape[], longest: number): FastDct {
  const served = shapes.filter(isSimdTile);
  let end = served.reduce((most, shape) => Math.max(most, tileScratch(shape)), longest);
  const tables = new Map(
    served.map((shape) => {
      const numbers = tileTables(shape);
      end += numbers.length;
      return [shape, { numbers, start: end - numbers.length }];
    }),
  );
  const transformsIn = perMemory((memory) =>
    shapes.map((shape) => {
      const table = tables.get(shape);
      return table && { transform: tileTransform(shape, memory), tables: FLOAT_BYTES * table.start };
    }),
  );
  return {
    scratch: end,
    prepare(scratch) {
      for (const { numbers, start } of tables.values()) scratch.set(numbers, start);
    },
    on(scratch) {
      const memory = memoryOf(scratch);
      if (memory === undefined) return [];
      for (const { start } of tables.values())
        invariant(scratch[start] !== 0, "scratch is prepared before the cosine transform works in it");
      const { byteOffset } = scratch;
      return transformsIn(memory).map(
        (made) =>
          made && {
            transform: made.transform,
            work: { scratch: byteOffset, tables: byteOffset + made.tables },
          },
      );
    },
  };
}

function perMemory<T>(make: (memory: WebAssembly.Memory) => T): (memory: WebAssembly.Memory) => T {
  const known = new WeakMap<WebAssembly.Memory, T>();
  return (memory) => {
    const present = known.get(memory) ?? make(memory);
    known.set(memory, present);
    return present;
  };
}
