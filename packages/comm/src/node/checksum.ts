// The checksum of a frame's payload. CRC-32 is what it comes to; of a long payload it is taken of the hashes of its blocks, which
// processors compute six times as fast, and of what is left over. The hash is NH (Black, Halevi, Krawczyk, Krovetz, Rogaway:
// UMAC, CRYPTO 1999, section 4.2): two blocks that differ have the same hash for at most one key in 2³², and hashes that
// differ the same CRC as rarely. The key is no secret: this finds what was damaged on the way, not what was forged.

import { createHash } from "node:crypto";
import type { VectorArithmetic } from "../arithmetic.ts";

export type HashBlocks = NonNullable<VectorArithmetic["hashBlocks"]>;

const BLOCK_BYTES = 1024;
const HASH_BYTES = 8;

/** Payloads of so many bytes are hashed. */
const LONG_PAYLOAD = 16_384;

/** SHA-256 of "atoll 0", "atoll 1" … one after another, [256]. */
const KEY: Uint32Array = (() => {
  const digests = Array.from({ length: BLOCK_BYTES / 32 }, (_, i) =>
    createHash("sha256").update(`atoll ${i}`).digest(),
  );
  const bytes = new DataView(Uint8Array.from(Buffer.concat(digests)).buffer);
  return Uint32Array.from({ length: BLOCK_BYTES / 4 }, (_, i) => bytes.getUint32(4 * i, true));
})();

export const isLong = (length: number): boolean => length >= LONG_PAYLOAD;

/**
 * What the CRC is taken of: the hashes of a long payload's blocks and what is left over, or all of a short one. It is good for
 * every frame that carries the same bytes.
 */
export function digestOf(payload: Uint8Array, hash: HashBlocks = hashBlocksPlainly): Uint8Array {
  if (!isLong(payload.length)) return payload;
  const rest = payload.length % BLOCK_BYTES;
  const digest = new Uint8Array(((payload.length - rest) / BLOCK_BYTES) * HASH_BYTES + rest);
  let at = 0;
  hash(payload, KEY, (hashes) => {
    digest.set(hashes, at);
    at += hashes.length;
  });
  digest.set(payload.subarray(payload.length - rest), at);
  return digest;
}

/** Digests of a vector that was added to another, and of their sum. */
export interface SumDigests {
  readonly added: Uint8Array;
  readonly sum: Uint8Array;
}

type AddAndHashBlocks = NonNullable<VectorArithmetic["addAndHashBlocks"]>;

/** a ← a + b, with both's digests; undefined, and nothing is done, where they are not to be had in one pass. */
export function addWithDigests(
  a: Float32Array,
  b: Float32Array,
  addAndHash: AddAndHashBlocks | undefined,
): SumDigests | undefined {
  if (addAndHash === undefined || !isLong(a.byteLength)) return undefined;
  const rest = a.byteLength % BLOCK_BYTES;
  const hashBytes = ((a.byteLength - rest) / BLOCK_BYTES) * HASH_BYTES;
  const both = new BigUint64Array((2 * hashBytes) / HASH_BYTES);
  let at = 0;
  const isDone = addAndHash(a, b, KEY, (hashes) => {
    new Uint8Array(both.buffer).set(hashes, at);
    at += hashes.length;
  });
  if (!isDone) return undefined;
  const digestOfEvery = (first: 0 | 1, x: Float32Array): Uint8Array => {
    const digest = new Uint8Array(hashBytes + rest);
    const hashes = new BigUint64Array(digest.buffer, 0, hashBytes / HASH_BYTES);
    for (let i = 0; i < hashes.length; i++) hashes[i] = both[2 * i + first]!;
    digest.set(new Uint8Array(x.buffer, x.byteOffset + x.byteLength - rest, rest), hashBytes);
    return digest;
  };
  return { added: digestOfEvery(0, b), sum: digestOfEvery(1, a) };
}

/** Products of halves of words, whose sums over a block are integers that a number holds. */
export function hashBlocksPlainly(
  bytes: Uint8Array,
  key: Uint32Array,
  take: (hashes: Uint8Array) => void,
): void {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const words = new Uint32Array(buffer, byteOffset, Math.floor(length / 4));
  const hash = new BigUint64Array(1);
  for (let from = 0; from + key.length <= words.length; from += key.length) {
    let [low, middle, high] = [0, 0, 0];
    for (let eight = 0; eight < key.length; eight += 8)
      for (let i = eight; i < eight + 4; i++) {
        const a = (words[from + i]! + key[i]!) | 0;
        const b = (words[from + i + 4]! + key[i + 4]!) | 0;
        const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
        low += aLow * bLow;
        middle += aLow * bHigh + aHigh * bLow;
        high += aHigh * bHigh;
      }
    hash[0] = BigInt(low) + (BigInt(middle) << 16n) + (BigInt(high) << 32n);
    take(new Uint8Array(hash.buffer));
  }
}
