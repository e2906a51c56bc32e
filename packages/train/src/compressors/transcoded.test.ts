import { type Codec, transcode } from "@atoll/comm";
import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { e3m0 } from "./e3m0.ts";
import { integers, remembering, signs, transcodeShards } from "./transcoded.ts";
import { twoBit } from "./twoBit.ts";

const codecs: Readonly<Record<string, (blockSize: number) => Codec>> = {
  integers,
  signs,
  powers: (blockSize) => e3m0({ blockSize }),
  twoLevels: (blockSize) => twoBit({ blockSize }),
};

const withoutBytes = fc.record({
  length: fc.nat(90),
  blockSize: fc.integer({ min: 1, max: 40 }),
  members: fc.integer({ min: 1, max: 5 }),
  seed: fc.nat(),
});

const vector = (length: number, seed: number): Float32Array => {
  const random = createRandom(seed);
  const strange = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45];
  return Float32Array.from({ length }, () =>
    random.uniform() < 0.01 ? strange[random.integer(strange.length)]! : random.normal(),
  );
};

test.each(Object.keys(codecs))("%s make of a vector what their bytes do, shard by shard too", (name) => {
  fc.assert(
    fc.property(withoutBytes, ({ length, blockSize, members, seed }) => {
      const codec = codecs[name]!(blockSize);
      const { transcode: _, ...byBytes } = codec;
      const x = vector(length, seed);
      expect([...transcode(codec, x)]).toEqual([...transcode(byBytes, x)]);
      const transcoded = new Float32Array(length);
      transcodeShards(codec, x, transcoded, members);
      const remembered = remembering(codec, { vector: x, transcoded, members });
      for (let m = 0; m < members; m++) {
        const shard = x.subarray(
          Math.floor((m * length) / members),
          Math.floor(((m + 1) * length) / members),
        );
        expect([...transcode(remembered, shard)]).toEqual([...transcode(byBytes, shard)]);
      }
      const other = vector(length, seed + 1).subarray(Math.floor(length / 3));
      expect([...transcode(remembered, other)]).toEqual([...transcode(byBytes, other)]);
      const across = x.subarray(Math.floor(length / 7), Math.floor(length / 2));
      expect([...transcode(remembered, across)]).toEqual([...transcode(byBytes, across)]);
    }),
  );
});
