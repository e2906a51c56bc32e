// The frame: what goes over a connection between two ranks, 64 bytes of header and a payload. Everything on the wire is
// framed, the greeting of strangers included, so one reader meets whatever comes. Little-endian, as the floats are. One
// checksum covers header and payload (checksum.ts).

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { RunError } from "@atoll/core";
import { digestOf, type HashBlocks } from "./checksum.ts";

/** Grows with every change that an older peer would misread. */
export const PROTOCOL_VERSION = 2;
export const HEADER_BYTES = 64;
const MAGIC = 0x4c4c5441; // "ATLL"

/** What a frame is. Greetings come before the peers know each other; the others only after. */
export const Kind = {
  greeting: 1,
  /** Part of a transfer of a collective's schedule. */
  segment: 2,
  /** What a message is: its group, tag, and length. */
  letter: 3,
  /** Part of a message's vector. */
  letterPart: 4,
  /** The last of a rank that leaves: all its bulk has come. */
  leave: 5,
  /** JSON, and bytes that go with it. */
  control: 6,
  heartbeat: 7,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];
const LAST_KIND: number = Kind.heartbeat;

export const Dtype = { bytes: 0, float32: 1 } as const;
export type Dtype = (typeof Dtype)[keyof typeof Dtype];

/** All a frame says besides its payload. */
export interface Frame {
  readonly kind: Kind;
  readonly dtype: Dtype;
  readonly epoch: number;
  /** Payload bytes. */
  readonly length: number;
  /** Of a segment: the number that the receiver gave the transfers' collective; of a letter: the sender's number of it. */
  readonly stream: number;
  /** Of a segment: which of the transfers between this pair in the collective. */
  readonly operation: number;
  /** Of a segment: its first cell within the transfer, and how many. Of a letter's part: its first byte. */
  readonly first: number;
  readonly count: number;
  /** Seconds on the sender's clock at which a shaped frame is to arrive; 0 if it is not shaped. */
  readonly due: number;
}

export type FrameFields = Pick<Frame, "kind"> & Partial<Frame>;

/** Eight bytes that tell runs apart. */
export function hashOfRun(runId: string): bigint {
  return createHash("sha256").update(runId).digest().readBigUInt64LE(0);
}

export interface Framed {
  readonly run: bigint;
  /** Number of the frame on its connection, from 0. */
  readonly sequence: number;
  readonly payload: Uint8Array;
  /** Default: in plain loops. */
  readonly hashBlocks?: HashBlocks | undefined;
  /** The payload's, where it is known (checksum.ts). */
  readonly digest?: Uint8Array | undefined;
}

export function encodeHeader(
  {
    kind,
    dtype = Dtype.bytes,
    epoch = 0,
    stream = 0,
    operation = 0,
    first = 0,
    count = 0,
    due = 0,
  }: FrameFields,
  { run, sequence, payload, hashBlocks, digest = digestOf(payload, hashBlocks) }: Framed,
): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, PROTOCOL_VERSION);
  view.setUint8(5, kind);
  view.setUint8(6, dtype);
  view.setBigUint64(8, run, true);
  view.setUint32(16, epoch, true);
  view.setUint32(20, sequence >>> 0, true);
  view.setUint32(24, payload.length, true);
  view.setUint32(32, stream, true);
  view.setUint32(36, operation, true);
  view.setUint32(40, first, true);
  view.setUint32(44, count, true);
  view.setFloat64(48, due, true);
  view.setUint32(28, crc32(digest, crc32(header)), true);
  return header;
}

export interface Expectation {
  readonly run: bigint;
  readonly sequence: number;
  /** Greetings only, and short ones: the peer is not known yet. */
  readonly isStranger: boolean;
}

export interface DecodedHeader {
  readonly frame: Frame;
  /** What the checksum of header and payload has to be, and that of the header alone, to go on from. */
  readonly checksum: number;
  readonly headerSum: number;
}

const MOST_GREETING = 4096;
const MOST_PAYLOAD = 1 << 30;

/** @throws RunError if the bytes are not the header that is expected here */
export function decodeHeader(header: Uint8Array, { run, sequence, isStranger }: Expectation): DecodedHeader {
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
  if (view.getUint32(0, true) !== MAGIC) throw new RunError("it does not speak Atoll's protocol");
  const version = view.getUint8(4);
  if (version !== PROTOCOL_VERSION)
    throw new RunError(
      `it speaks version ${version} of the protocol, this process version ${PROTOCOL_VERSION}`,
    );
  const kind = view.getUint8(5);
  const length = view.getUint32(24, true);
  if (kind < 1 || kind > LAST_KIND) throw new RunError(`it sent a frame of unknown kind ${kind}`);
  if (isStranger && kind !== Kind.greeting) throw new RunError("it sent data before it had authenticated");
  if (length > (isStranger ? MOST_GREETING : MOST_PAYLOAD))
    throw new RunError(`it sent a frame of ${length} bytes`);
  if (kind !== Kind.greeting && view.getBigUint64(8, true) !== run)
    throw new RunError("it sent a frame of another run");
  if (view.getUint32(20, true) !== sequence >>> 0)
    throw new RunError(`it sent frame ${view.getUint32(20, true)} where frame ${sequence} was expected`);
  const checksum = view.getUint32(28, true);
  view.setUint32(28, 0, true);
  return {
    frame: {
      kind: kind as Kind,
      dtype: view.getUint8(6) as Dtype,
      epoch: view.getUint32(16, true),
      length,
      stream: view.getUint32(32, true),
      operation: view.getUint32(36, true),
      first: view.getUint32(40, true),
      count: view.getUint32(44, true),
      due: view.getFloat64(48, true),
    },
    checksum,
    headerSum: crc32(header),
  };
}
