// Frames as they come: whole, in pieces, and wrong in every way that a peer or a stranger may think of.

import { RunError } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeHeader, type Frame, hashOfRun, Kind } from "./frame.ts";
import { FrameReader } from "./frameReader.ts";

const run = hashOfRun("test");

/** A reader that keeps what it is given; `most` is the largest place that it was asked for. */
function collecting(isStranger: boolean) {
  const got: { readonly frame: Frame; readonly payload: Uint8Array }[] = [];
  let most = 0;
  const handler = {
    place(frame: Frame): Uint8Array {
      most = Math.max(most, frame.length);
      if (frame.length > 1 << 20) throw new RunError("there is no place for that");
      return new Uint8Array(frame.length);
    },
    complete: (frame: Frame, payload: Uint8Array): void => void got.push({ frame, payload }),
  };
  const reader = new FrameReader(run, handler);
  if (!isStranger) reader.admit(handler);
  return { reader, got, most: () => most };
}

const payload = fc.uint8Array({ maxLength: 300 });

/** Frames one after another, as bytes. */
function stream(payloads: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    payloads.flatMap((bytes, sequence) => [
      encodeHeader(
        { kind: Kind.segment, epoch: 3, stream: sequence, first: 7 },
        { run, sequence, payload: bytes },
      ),
      bytes,
    ]),
  );
}

function pushInPieces(reader: FrameReader, bytes: Uint8Array, cuts: readonly number[]): void {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let start = 0;
  for (const end of ends) {
    reader.push(bytes.subarray(start, end));
    start = end;
  }
}

test("frames are the same however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 6 }), fc.array(fc.nat(3000)), (payloads, cuts) => {
      const { reader, got } = collecting(false);
      pushInPieces(reader, stream(payloads), cuts);
      expect(got.map((frame) => [...frame.payload])).toEqual(payloads.map((bytes) => [...bytes]));
      expect(got.map(({ frame }) => [frame.epoch, frame.stream, frame.first])).toEqual(
        payloads.map((_, sequence) => [3, sequence, 7]),
      );
    }),
  );
});

test("a changed byte, wherever it is, is noticed before the frame counts", () => {
  fc.assert(
    fc.property(payload, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, at, change) => {
      const whole = stream([bytes, Uint8Array.of(1)]);
      const place = at % (64 + bytes.length);
      whole[place]! ^= change;
      const { reader, got } = collecting(false);
      let fault: unknown;
      try {
        reader.push(whole);
      } catch (error) {
        fault = error;
      }
      // A length that has grown waits for more; nothing wrong has been taken for right.
      if (fault === undefined) expect(place).toBeGreaterThanOrEqual(24);
      else expect(fault).toBeInstanceOf(RunError);
      expect(got).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("nor is one in a long payload, which has a tag instead", () => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);
  for (const place of [0, 99_999, 199_999]) {
    const { reader, got } = collecting(false);
    const whole = stream([bytes]);
    reader.push(whole);
    expect(got[0]!.payload).toEqual(bytes);
    const again = collecting(false);
    whole[64 + place]! ^= 1;
    expect(() => again.reader.push(whole)).toThrow("damaged on the way (wrong checksum)");
    expect(again.got).toEqual([]);
  }
});

describe("random bytes", () => {
  test.each([true, false])("end in a sentence, and in no large memory; of a stranger: %s", (isStranger) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 2000 }), fc.boolean(), (bytes, looksRight) => {
        if (looksRight)
          bytes.set(
            encodeHeader({ kind: Kind.greeting }, { run, sequence: 0, payload: bytes }).subarray(0, 24),
          );
        const { reader, got, most } = collecting(isStranger);
        try {
          reader.push(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RunError);
        }
        expect(got).toEqual([]);
        if (isStranger) expect(most()).toBeLessThanOrEqual(4096);
      }),
      { numRuns: 300 },
    );
  });
});

test.each([
  [{ kind: Kind.segment }, "it sent data before it had authenticated", true],
  [{ kind: Kind.greeting }, "it sent frame 5 where frame 0 was expected", false],
] as const)("what is out of turn is refused: %#", (fields, message, isStranger) => {
  const { reader } = collecting(isStranger);
  const header = encodeHeader(fields, { run, sequence: isStranger ? 0 : 5, payload: new Uint8Array(0) });
  expect(() => reader.push(header)).toThrow(message);
});

test("a frame of another run is refused", () => {
  const { reader } = collecting(false);
  const other = { run: hashOfRun("other"), sequence: 0, payload: new Uint8Array(0) };
  expect(() => reader.push(encodeHeader({ kind: Kind.heartbeat }, other))).toThrow(
    "it sent a frame of another run",
  );
});
