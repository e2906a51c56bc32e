// What is in a TensorBoard event file: records of a length, a message and their checksums (TensorFlow's tfrecord), each
// message a tensorflow.Event (tensorflow/core/util/event.proto). Which files there are is tensorBoard.ts's matter.

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { crc32c } from "./crc32c.ts";
import type { MetricRow } from "./tracker.ts";

/** The numbers of the fields of tensorflow.Event, Summary, Summary.Value and SessionLog that are written. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SUMMARY_VALUE = 1;
const VALUE = { tag: 1, simpleValue: 2 } as const;
const SESSION_STATUS = 1;
const SESSION_START = 1;

const event = (wallMs: number): BinaryWriter =>
  new BinaryWriter().tag(EVENT.wallTime, WireType.Bit64).double(wallMs / 1000);

const atStep = (wallMs: number, step: number): BinaryWriter =>
  event(wallMs).tag(EVENT.step, WireType.Varint).int64(step);

/** The first message of every file. */
export const version = (wallMs: number): Uint8Array =>
  event(wallMs).tag(EVENT.fileVersion, WireType.LengthDelimited).string("brain.Event:2").finish();

/** Makes readers forget what earlier files say of steps from `step` on. */
export const sessionStart = (wallMs: number, step: number): Uint8Array =>
  atStep(wallMs, step)
    .tag(EVENT.sessionLog, WireType.LengthDelimited)
    .fork()
    .tag(SESSION_STATUS, WireType.Varint)
    .int32(SESSION_START)
    .join()
    .finish();

export function summaryOf({ step, wallMs, values }: MetricRow): Uint8Array {
  const message = atStep(wallMs, step).tag(EVENT.summary, WireType.LengthDelimited).fork();
  for (const [tag, value] of Object.entries(values)) {
    message.tag(SUMMARY_VALUE, WireType.LengthDelimited).fork();
    message.tag(VALUE.tag, WireType.LengthDelimited).string(tag);
    // Rounded here, since the writer refuses what is beyond a float's range, as a perplexity can be.
    message.tag(VALUE.simpleValue, WireType.Bit32).float(Math.fround(value)).join();
  }
  return message.join().finish();
}

/** A record: length, its checksum, the message, its checksum. */
export function frame(message: Uint8Array): Uint8Array {
  const record = Buffer.alloc(message.length + 16);
  record.writeBigUInt64LE(BigInt(message.length), 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(message, 12);
  record.writeUInt32LE(maskedCrc(message), 12 + message.length);
  return record;
}

/** TensorFlow masks checksums, since a checksum of data that holds checksums is a weak one. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
