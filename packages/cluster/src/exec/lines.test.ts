// Lines out of bytes that come in any pieces.

import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyLine } from "../test/text.ts";
import { type LineSplitter, lineSplitter, readLines } from "./lines.ts";

const linesOf = (splitter: LineSplitter, bytes: readonly Buffer[]): readonly string[] => [
  ...bytes.flatMap((piece) => splitter.push(piece)),
  ...splitter.end(),
];

/** `bytes` cut at these places. */
function pieces(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

test("however the bytes come, the lines are the text's", () => {
  const text = fc.array(fc.oneof(fc.constantFrom("\n", "\r\n"), anyLine)).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, fc.array(fc.nat()), (written, cuts) => {
      const expected = written.split("\n");
      const last = expected.pop()!;
      expect(linesOf(lineSplitter(), pieces(Buffer.from(written), cuts))).toEqual([
        ...expected.map((line) => line.replace(/\r$/, "")),
        ...(last === "" ? [] : [last]),
      ]);
    }),
  );
});

test("a line without an end is handed on in pieces, never within a character", () => {
  fc.assert(
    fc.property(anyLine, fc.array(fc.nat()), (line, cuts) => {
      const lines = linesOf(lineSplitter(5), pieces(Buffer.from(line), cuts));
      expect(lines.join("")).toBe(line);
      expect(lines.filter((piece) => piece.length > 6 || !piece.isWellFormed())).toEqual([]);
    }),
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
