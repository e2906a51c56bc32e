// The files of trackers, byte by byte, against what the official writers make of the same content.
// golden/official.wandb.gz is an offline run of the official client (wandb 0.31.0): 59 steps, and an option of 70,000
// characters that needs three blocks. The texts below are messages that Google's protobuf package serialised from the
// published definitions (wandb 0.31.0, tensorboard 2.21.0), framed by tensorboard's RecordWriter where it is its format.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "./crc32c.ts";
import { frame, sessionStart, summaryOf, version } from "./tensorBoardFile.ts";
import { frameRecord, HEADER, recordsIn } from "./wandbLog.ts";
import {
  exitRecord,
  headerRecord,
  historyRecord,
  kindOfRecord,
  runRecord,
  summaryRecord,
} from "./wandbRecords.ts";

const official = gunzipSync(readFileSync(new URL("golden/official.wandb.gz", import.meta.url)));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A file of these records, and where each ends. */
function fileOf(records: readonly Uint8Array[]): { readonly file: Buffer; readonly ends: readonly number[] } {
  let file = Buffer.from(HEADER);
  const ends = records.map((record) => {
    file = Buffer.concat([file, frameRecord(record, file.length)]);
    return file.length;
  });
  return { file, ends };
}

test("CRC-32C: the vectors of RFC 3720, appendix B.4", () => {
  const range = Uint8Array.from({ length: 32 }, (_, i) => i);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(range)).toBe(0x46dd794e);
  expect(crc32c(range.toReversed())).toBe(0x113fdb5c);
  expect(crc32c(ascii("123456789"))).toBe(0xe3069283);
});

test("TensorBoard: the bytes of the official writer", () => {
  const rows = [
    { step: 1, wallMs: 1700000001500, values: { train_loss: 2.5, lr: 0.001 } },
    { step: 2, wallMs: 1700000002750, values: { train_loss: Number.POSITIVE_INFINITY, lr: 0 } },
    { step: 70000, wallMs: 1700000003125, values: { train_loss: -1.25 } },
  ];
  const messages = [version(1700000000250), sessionStart(1700000000250, 1), ...rows.map(summaryOf)];
  expect(base64(Buffer.concat(messages.map(frame)))).toBe(
    [
      "GAAAAAAAAACjf0siCQAAEED8VNlBGg1icmFpbi5FdmVudDoyM40v6Q8AAAAAAAAAbVMrCQkAABBA/FTZQRABOgIIAdFhwrkrAAAAAAAAAIYb",
      "w0sJAABgQPxU2UEQASoeChEKCnRyYWluX2xvc3MVAAAgQAoJCgJschVvEoM648H+XCsAAAAAAAAAhhvDSwkAALBA/FTZQRACKh4KEQoKdHJh",
      "aW5fbG9zcxUAAIB/CgkKAmxyFQAAAAA/wv3bIgAAAAAAAAB4ET39CQAAyED8VNlBEPCiBCoTChEKCnRyYWluX2xvc3MVAACgv6CPoBI=",
    ].join(""),
  );
});

test("W&B: the official client's file is read, and written again to the same bytes", () => {
  const records = recordsIn(official);
  const { file, ends } = fileOf(records.map(({ data }) => data));
  expect(file.equals(official)).toBe(true);
  expect(ends).toEqual(records.map(({ end }) => end));
  const kinds = records.map(({ data }) => kindOfRecord(data));
  const steps = kinds.filter((kind) => kind.kind === "history").map(({ step }) => step);
  expect(steps).toEqual(Array.from({ length: 59 }, (_, i) => i + 1));
  expect(kinds.at(-1)).toEqual({ kind: "exit" });
});

test("W&B: records of any length come back, and half a record at the end is none", () => {
  const lengths = fc.oneof(fc.nat(40), fc.integer({ min: 32_740, max: 32_780 }), fc.nat(100_000));
  fc.assert(
    fc.property(fc.array(lengths, { maxLength: 8 }), fc.nat(), (sizes, cut) => {
      const records = sizes.map((size, i) => Buffer.alloc(size, i + 1));
      const { file, ends } = fileOf(records);
      expect(recordsIn(file).map(({ data }) => data.length)).toEqual(sizes);
      expect(recordsIn(file).every(({ data }, i) => records[i]!.equals(data))).toBe(true);
      const length = HEADER.length + (cut % (file.length - HEADER.length + 1));
      expect(recordsIn(file.subarray(0, length)).map(({ end }) => end)).toEqual(
        ends.filter((end) => end <= length),
      );
    }),
    { numRuns: 50 },
  );
});

test("W&B: a byte that has changed ends what is read", () => {
  const { file, ends } = fileOf([ascii("one"), ascii("two"), ascii("three")]);
  file[ends[0]! + 8]! ^= 1;
  expect(recordsIn(file)).toHaveLength(1);
  expect(recordsIn(Buffer.from("not a run file"))).toEqual([]);
});

test("W&B: records as Google's protobuf package serialises them", () => {
  const row = {
    step: 70_000,
    wallMs: 1700000001500,
    values: { train_loss: 2.5, lr: 0.001, global_loss: Number.NaN },
  };
  const startMs = 1700000000250;
  const run = runRecord(2, {
    runId: "abcd1234",
    entity: "team",
    project: "atoll",
    group: "g",
    displayName: "run",
    tags: ["a", "b"],
    host: "host",
    startMs,
    config: [
      ["nodes", "3"],
      ["network", '{"profile":"wan"}'],
    ],
  });
  expect(base64(headerRecord(1, "atoll"))).toBe("CAGqAREKDwoFYXRvbGwSBjAuNzAuMA==");
  expect(base64(run)).toBe(
    "CAKKAWcKCGFiY2QxMjM0EgR0ZWFtGgVhdG9sbCIsCgsKBW5vZGVzggEBMwodCgduZXR3b3JrggEReyJwcm9maWxlIjoid2FuIn0yAWdCA3J1blIBYVIBYmoEaG9zdIoBCwiA4s+qBhCA5Zp3",
  );
  const items =
    "ChISCnRyYWluX2xvc3OCAQMyLjUKDBICbHKCAQUwLjAwMQoTEgtnbG9iYWxfbG9zc4IBA05hTgoPEgVfc3RlcIIBBTcwMDAwChsSCl90aW1lc3RhbXCCAQwxNzAwMDAwMDAxLjUKERIIX3J1bnRpbWWCAQQxLjI1";
  const withItems = (prefix: string, suffix: string): string =>
    base64(Buffer.concat([prefix, items, suffix].map((text) => Buffer.from(text, "base64"))));
  expect(base64(historyRecord(3, row, startMs))).toBe(withItems("CAMSfg==", "EgQI8KIE"));
  expect(base64(summaryRecord(4, row, startMs))).toBe(withItems("CAQaeA==", ""));
  expect(base64(exitRecord(5, 1, 12))).toBe("CAWSAQQIARAM");
  expect(kindOfRecord(historyRecord(3, row, startMs))).toEqual({ kind: "history", step: 70_000 });
});
