// The frame of a W&B run file: a header of 7 bytes, then LevelDB's log format (leveldb/doc/log_format.md): blocks of
// 32 KiB counted from the file's start, in which a record lies whole or in parts, each with length, kind and checksum.
// Unlike LevelDB's, the checksum is a plain CRC-32. What records hold is wandbRecords.ts's matter.

import { crc32 } from "node:zlib";

/** ":W&B", then a magic number and the version. */
export const HEADER: Uint8Array = Uint8Array.of(0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0x00);

const BLOCK = 32 * 1024;
/** Checksum, length, kind. */
const PREFIX = 7;
const KIND = { whole: 1, first: 2, middle: 3, last: 4 } as const;

/** The bytes that append a record to a file of `offset` bytes. */
export function frameRecord(record: Uint8Array, offset: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = offset;
  let taken = 0;
  do {
    let room = BLOCK - (at % BLOCK);
    if (room < PREFIX) {
      parts.push(new Uint8Array(room)); // Too small for a prefix: zeros to the block's end.
      at += room;
      room = BLOCK;
    }
    const data = record.subarray(taken, taken + room - PREFIX);
    const isFirst = taken === 0;
    taken += data.length;
    parts.push(framePart(data, kindOf(isFirst, taken === record.length)));
    at += PREFIX + data.length;
  } while (taken < record.length);
  return Buffer.concat(parts);
}

function kindOf(isFirst: boolean, isLast: boolean): number {
  if (isFirst) return isLast ? KIND.whole : KIND.first;
  return isLast ? KIND.last : KIND.middle;
}

function framePart(data: Uint8Array, kind: number): Uint8Array {
  const part = Buffer.alloc(PREFIX + data.length);
  part.writeUInt32LE(checksum(kind, data), 0);
  part.writeUInt16LE(data.length, 4);
  part[6] = kind;
  part.set(data, PREFIX);
  return part;
}

const checksum = (kind: number, data: Uint8Array): number => crc32(data, crc32(Uint8Array.of(kind)));

/** A record of a file, and where the file would end if it were the last one. */
export interface LoggedRecord {
  readonly data: Uint8Array;
  readonly end: number;
}

/** The whole records of a file, up to its end or the first damage: a process that was killed leaves half a record. */
export function recordsIn(file: Buffer): readonly LoggedRecord[] {
  const records: LoggedRecord[] = [];
  if (!HEADER.every((byte, i) => file[i] === byte)) return records;
  let at = HEADER.length;
  let parts: Uint8Array[] = [];
  for (;;) {
    const room = BLOCK - (at % BLOCK);
    if (room < PREFIX) at += room;
    if (at + PREFIX > file.length) return records;
    const end = at + PREFIX + file.readUInt16LE(at + 4);
    const kind = file[at + 6]!;
    const data = file.subarray(at + PREFIX, end);
    if (end > file.length || checksum(kind, data) !== file.readUInt32LE(at)) return records;
    const begins = kind === KIND.whole || kind === KIND.first;
    parts = begins ? [data] : [...parts, data];
    at = end;
    if (kind === KIND.whole || kind === KIND.last) records.push({ data: Buffer.concat(parts), end });
  }
}
