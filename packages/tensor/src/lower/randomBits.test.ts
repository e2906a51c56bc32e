import { threefry2x32 } from "@atoll/core";
import { random } from "@jax-js/jax";
import fc from "fast-check";
import { expect, test } from "vitest";
import { keep, lend, type Tensor } from "../borrow.ts";
import type { HostTensor } from "../host.ts";
import { onnx } from "../node/onnx.ts";
import * as ops from "../ops.ts";
import { expectSame } from "../test/backends.ts";

const keys = fc.tuple(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1));
const keyOf = (words: readonly number[]): HostTensor => ({ shape: [2], data: Uint32Array.from(words) });

test("words are those of jax-js and of core's Threefry", async () => {
  await fc.assert(
    fc.asyncProperty(keys, fc.integer({ min: 1, max: 40 }), async (key, length) => {
      const f = (args: { key: Tensor }): Tensor => ops.randomBits(args.key, length);
      await expectSame(f, { key: keyOf(key) });
      await using program = await onnx.compile<object, HostTensor>(f, { key: keyOf(key) });
      const { data } = await program.run({ key: keyOf(key) });
      for (const [i, word] of data.entries()) {
        const [x0, x1] = threefry2x32(key[0], key[1], 0, i);
        expect(word).toBe((x0 ^ x1) >>> 0);
      }
    }),
    { numRuns: 10 },
  );
});

test("folded and split keys", () =>
  expectSame(
    ({ key }) => ({
      folded: ops.foldIn(key, 7),
      split: keep(random.split(lend(key), 3)),
      halves: ops.lowerHalf(ops.randomBits(ops.foldIn(key, 1), 9)),
    }),
    { key: keyOf([5, 0xdeadbeef]) },
  ));
