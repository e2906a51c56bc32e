// Reads IDX files of unsigned bytes, the format MNIST is published in, plain or gzipped.
// Source: the format description on the MNIST page (Y. LeCun, C. Cortes, C. J. C. Burges): two zero bytes, a type
// (0x08 is unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit integer, then the values.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ConfigError, messageOf } from "@atoll/core";

export interface IdxArray {
  readonly path: string;
  readonly shape: readonly number[];
  readonly values: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

/** "…: byte 4: expected …, got …": offsets count in the IDX data, so after decompression where the file is gzipped. */
export function idxError(path: string, offset: number, expected: string, got: string): ConfigError {
  return new ConfigError(
    `${path} is not the IDX file it should be: byte ${offset}: expected ${expected}, got ${got}. Replace it, or delete it to have it downloaded again.`,
  );
}

/**
 * Reads an IDX file with the given number of dimensions.
 * @throws ConfigError that names file, byte offset, what was expected and what is there.
 */
export async function readIdx(path: string, dimensions: number): Promise<IdxArray> {
  const file = await readFile(path);
  const isGzip = file[0] === 0x1f && file[1] === 0x8b;
  const content = isGzip ? await inflate(path, file) : file;
  return parseIdx(path, content, dimensions);
}

/** Reads IDX data; `path` is what errors call it. */
export function parseIdx(path: string, content: Uint8Array, dimensions: number): IdxArray {
  const headerLength = 4 + 4 * dimensions;
  const magic = Uint8Array.of(0, 0, UNSIGNED_BYTE, dimensions);
  const found = content.subarray(0, 4);
  if (hex(found) !== hex(magic))
    throw idxError(
      path,
      0,
      `${hex(magic)} (unsigned bytes, ${dimensions} dimensions) or gzip (1f 8b)`,
      hex(found) || "an empty file",
    );
  if (content.length < headerLength)
    throw idxError(
      path,
      content.length,
      `a header of ${headerLength} bytes`,
      `the end of the file after ${content.length}`,
    );
  const header = new DataView(content.buffer, content.byteOffset, headerLength);
  const shape = Array.from({ length: dimensions }, (_, i) => header.getUint32(4 + 4 * i));
  const size = shape.reduce((product, length) => product * length, 1);
  const values = content.subarray(headerLength);
  if (values.length !== size)
    throw idxError(
      path,
      Math.min(content.length, headerLength + size),
      `the end after ${size} values of shape [${shape}]`,
      values.length < size ? `the end after ${values.length} values` : `${values.length - size} bytes more`,
    );
  return { path, shape, values };
}

/** Decompresses straight into shared memory, where the data set will lie: no second copy of it ever exists. */
async function inflate(path: string, file: Buffer): Promise<Uint8Array> {
  let content = sharedBytes(inflatedLength(file));
  let length = 0;
  const collect = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      if (length + chunk.length > content.length) {
        const larger = sharedBytes(2 * (length + chunk.length));
        larger.set(content.subarray(0, length));
        content = larger;
      }
      content.set(chunk, length);
      length += chunk.length;
    }
  };
  try {
    await pipeline([file], createGunzip({ chunkSize: CHUNK }), collect);
  } catch (cause) {
    const offset = await damagedAt(path);
    throw new ConfigError(
      `${path} is damaged: its gzip data cannot be read on from byte ${offset} of ${file.length} (${messageOf(cause)}). Replace it, or delete it to have it downloaded again.`,
      cause,
    );
  }
  return content.subarray(0, length);
}

const CHUNK = 2 ** 18;

const sharedBytes = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length));

/** A gzip file ends in its decompressed length. It is a hint, not a fact, where the file is damaged; so it is bounded. */
function inflatedLength(file: Buffer): number {
  const claimed = file.length < 4 ? 0 : file.readUInt32LE(file.length - 4);
  return Math.min(Math.max(claimed, 1024), 64 * 2 ** 20);
}

/** How far a gzip file can be read, to within a small block: zlib itself does not say where it failed. */
async function damagedAt(path: string): Promise<number> {
  const decoder = createGunzip();
  const discard = async (chunks: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of chunks);
  };
  await pipeline(createReadStream(path, { highWaterMark: 512 }), decoder, discard).catch(() => undefined);
  return decoder.bytesWritten;
}
