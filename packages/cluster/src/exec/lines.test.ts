// Lines out of bytes that come in any pieces.

import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lineSplitter, readLines } from "./lines.ts";

/** `bytes` cut at these places. */
function pieces(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

test("however the bytes come, the lines are the text's", () => {
  const text = fc.string({
    unit: fc.oneof(fc.constant("\n"), fc.constant("\r\n"), fc.string({ unit: "grapheme" })),
  });
  fc.assert(
    fc.property(text, fc.array(fc.nat()), (written, cuts) => {
      const splitter = lineSplitter();
      const lines = [
        ...pieces(Buffer.from(written), cuts).flatMap((piece) => splitter.push(piece)),
        ...splitter.end(),
      ];
      const expected = Buffer.from(written).toString().split("\n");
      const last = expected.pop()!;
      expect(lines).toEqual([
        ...expected.map((line) => line.replace(/\r$/, "")),
        ...(last === "" ? [] : [last]),
      ]);
    }),
  );
});

test("a line without an end is handed on in pieces, never within a character", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }).filter((s) => !/[\r\n]/.test(s)),
      fc.array(fc.nat()),
      (line, cuts) => {
        const splitter = lineSplitter(5);
        const lines = [
          ...pieces(Buffer.from(line), cuts).flatMap((piece) => splitter.push(piece)),
          ...splitter.end(),
        ];
        expect(lines.join("")).toBe(line);
        for (const piece of lines) {
          expect(piece.length).toBeLessThanOrEqual(6);
          expect(piece.isWellFormed()).toBe(true);
        }
      },
    ),
  );
});

test("a stream that has ended is not waited for: nothing keeps the process alive", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const reader = readLines(Readable.from([Buffer.from("a\n")]), () => {});
  await reader.done;
  const before = timers();
  reader.endWhenSilent(1_000);
  expect(timers()).toBe(before);
});
