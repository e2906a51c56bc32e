// Frames as they come: whole, in pieces, and wrong in every way that a peer or a stranger may think of.

import { crc32 } from "node:zlib";
import { createRandom, RunError } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf } from "./checksum.ts";
import { encodeHeader, type Frame, HEADER_BYTES, hashOfRun, Kind } from "./frame.ts";
import { type FrameHandler, FrameReader } from "./frameReader.ts";

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

/** What may happen to a long payload at two places. */
const damages: Readonly<Record<string, (bytes: Uint8Array, at: readonly [number, number]) => Uint8Array>> = {
  "a flipped bit": (bytes, [a, b]) => bytes.with(a, bytes[a]! ^ (1 << (b % 8))),
  "another byte": (bytes, [a, b]) => bytes.with(a, bytes[a]! ^ (1 + (b % 255))),
  "swapped words": (bytes, places) => swapped(bytes, places, 4),
  "swapped blocks": (bytes, places) => swapped(bytes, places, 1024),
  "a range of zeros": (bytes, [a, b]) => bytes.slice().fill(0, Math.min(a, b), Math.max(a, b)),
  "a byte that is missing, and all behind it one ahead": (bytes, [a]) =>
    bytes.slice().copyWithin(a, Math.min(a + 1, bytes.length - 1)),
  "the beginning once more": (bytes, [a]) => bytes.slice().copyWithin(a, 0),
};

/** Two words, or blocks, in each other's place. */
function swapped(bytes: Uint8Array, places: readonly [number, number], size: number): Uint8Array {
  const [a, b] = places.map((at) => Math.min(at - (at % size), bytes.length - size)).sort((x, y) => x - y);
  const changed = bytes.slice();
  if (b! - a! < size) return changed;
  changed.set(bytes.subarray(a, a! + size), b);
  changed.set(bytes.subarray(b, b! + size), a);
  return changed;
}

describe("in a long payload, of whose blocks hashes are taken", () => {
  const long = fc.record({
    length: fc.integer({ min: 16_384, max: 70_000 }),
    seed: fc.integer(),
    places: fc.tuple(fc.nat(), fc.nat()),
    isFloats: fc.boolean(),
  });

  test.each(Object.keys(damages))("%s is noticed", (damage) => {
    fc.assert(
      fc.property(long, ({ length, seed, places, isFloats }) => {
        const random = createRandom(seed);
        const floats = Float32Array.from({ length: Math.ceil(length / 4) }, () =>
          Math.round(random.normal()),
        );
        const bytes = isFloats
          ? new Uint8Array(floats.buffer, 0, length)
          : Uint8Array.from({ length }, () => random.integer(256));
        const whole = stream([bytes]);
        const right = collecting(false);
        right.reader.push(whole);
        expect(Buffer.compare(right.got[0]!.payload, bytes)).toBe(0);
        const changed = damages[damage]!(bytes, places.map((at) => at % length) as [number, number]);
        fc.pre(Buffer.compare(changed, bytes) !== 0);
        whole.set(changed, HEADER_BYTES);
        const { reader, got } = collecting(false);
        expect(() => reader.push(whole)).toThrow("damaged on the way (wrong checksum)");
        expect(got).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test("each single bit is", () => {
    const length = 16_384 + 999;
    const bytes = Uint8Array.from({ length }, (_, i) => (i * i) >> 3);
    const right = crc32(digestOf(bytes));
    let missed = 0;
    for (let bit = 0; bit < 8 * length; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      if (crc32(digestOf(bytes)) === right) missed++;
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(missed).toBe(0);
  });
});

test("a digest that the handler takes itself is compared with the checksum", () => {
  const bytes = new Uint8Array(20_000).fill(3);
  for (const [digest, message] of [
    [digestOf(bytes), undefined],
    [digestOf(bytes.with(5, 4)), "damaged on the way (wrong checksum)"],
  ] as const) {
    const completed: unknown[] = [];
    const handler: FrameHandler = {
      place: ({ length }) => new Uint8Array(length),
      digest: () => digest,
      complete: (_, payload, taken) => void completed.push([payload, taken]),
    };
    const reader = new FrameReader(run, handler);
    reader.admit(handler);
    if (message === undefined) {
      reader.push(stream([bytes]));
      expect(completed).toEqual([[bytes, digest]]);
    } else {
      expect(() => reader.push(stream([bytes]))).toThrow(message);
      expect(completed).toEqual([]);
    }
  }
});

test("frames that change places are noticed", () => {
  const frames = [1, 2].map((value) => new Uint8Array(20_000).fill(value));
  const whole = stream(frames);
  const size = HEADER_BYTES + 20_000;
  const { reader, got } = collecting(false);
  expect(() => reader.push(Buffer.concat([whole.subarray(size), whole.subarray(0, size)]))).toThrow(
    "it sent frame 1 where frame 0 was expected",
  );
  expect(got).toEqual([]);
});

test("a peer of another version is refused", () => {
  const { reader } = collecting(true);
  const header = encodeHeader({ kind: Kind.greeting }, { run, sequence: 0, payload: new Uint8Array(0) });
  header[4] = 1;
  expect(() => reader.push(header)).toThrow("it speaks version 1 of the protocol, this process version 2");
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
