// NH, a hash of blocks of bytes by which it is seen whether they came unchanged (Black, Halevi, Krawczyk, Krovetz, Rogaway:
// UMAC, CRYPTO 1999, section 4.2, with words of 32 bits): words are paired, the key's words added to them modulo 2³², and the
// products of pairs added up modulo 2⁶⁴. Two blocks that differ have the same hash for at most one key in 2³². A word's
// partner lies four words on, so that SIMD takes a register of each: of eight words, number i goes with number i + 4.
// Where bytes lie in a shared memory they are hashed there, others piece by piece in a memory of this thread's own.

import { allocateBeside, memoryOf } from "../memory.ts";
import { assemble, f32x4, i32, i32x4, i64x2, upper, v128 } from "./assembler.ts";
import { encodeModule, type WasmFunction } from "./encode.ts";

const REGISTER_BYTES = 16;
const AT_ONCE_BYTES = 2 * REGISTER_BYTES;
const HASH_BYTES = 8;

/** `(bytes, blocks, size, key, out)`: the hashes of so many blocks; their size in bytes is a multiple of 32. */
const hashFunction: WasmFunction = assemble(
  "hash",
  { bytes: "i32", blocks: "i32", size: "i32", key: "i32", out: "i32" },
  undefined,
  ({ arguments: { bytes, blocks, size, key, out }, local, count }) => {
    const [from, added] = [local("i32"), local("i32")];
    const [a, b, sum] = [local("v128"), local("v128"), local("v128")];
    const keyed = (offset: number) => i32x4.add(v128.load(from.get, offset), v128.load(added.get, offset));
    return [
      count(blocks.get, 1, () => [
        ...sum.set(v128.zero()),
        ...count(size.get, AT_ONCE_BYTES, (index) => [
          ...from.set(i32.add(bytes.get, index)),
          ...added.set(i32.add(key.get, index)),
          ...a.set(keyed(0)),
          ...b.set(keyed(REGISTER_BYTES)),
          ...sum.set(i64x2.add(sum.get, i64x2.multiplyLowUnsigned(a.get, b.get))),
          ...sum.set(i64x2.add(sum.get, i64x2.multiplyHighUnsigned(a.get, b.get))),
        ]),
        ...i64x2.storeLane(out.get, i64x2.add(sum.get, upper(sum.get, sum.get)), 0),
        ...bytes.set(i32.add(bytes.get, size.get)),
        ...out.set(i32.add(out.get, i32.constant(HASH_BYTES))),
      ]),
    ];
  },
);

/** `(sum, added, blocks, size, key, out)`: float32 sum ← sum + added; of each block the hash of what was added, and of the sum. */
const addAndHashFunction: WasmFunction = assemble(
  "addAndHash",
  { sum: "i32", added: "i32", blocks: "i32", size: "i32", key: "i32", out: "i32" },
  undefined,
  ({ arguments: { sum, added, blocks, size, key, out }, local, count }) => {
    const [to, from, keys] = [local("i32"), local("i32"), local("i32")];
    const [a, b, keyA, keyB] = [local("v128"), local("v128"), local("v128"), local("v128")];
    const [hashOfAdded, hashOfSum] = [local("v128"), local("v128")];
    const second = i32.add(to.get, i32.constant(REGISTER_BYTES));
    const include = (hash: typeof a) => [
      ...a.set(i32x4.add(a.get, keyA.get)),
      ...b.set(i32x4.add(b.get, keyB.get)),
      ...hash.set(i64x2.add(hash.get, i64x2.multiplyLowUnsigned(a.get, b.get))),
      ...hash.set(i64x2.add(hash.get, i64x2.multiplyHighUnsigned(a.get, b.get))),
    ];
    const storeNext = (hash: typeof a) => [
      ...i64x2.storeLane(out.get, i64x2.add(hash.get, upper(hash.get, hash.get)), 0),
      ...out.set(i32.add(out.get, i32.constant(HASH_BYTES))),
    ];
    return [
      count(blocks.get, 1, () => [
        ...hashOfAdded.set(v128.zero()),
        ...hashOfSum.set(v128.zero()),
        ...count(size.get, AT_ONCE_BYTES, (index) => [
          ...to.set(i32.add(sum.get, index)),
          ...from.set(i32.add(added.get, index)),
          ...keys.set(i32.add(key.get, index)),
          ...keyA.set(v128.load(keys.get)),
          ...keyB.set(v128.load(keys.get, REGISTER_BYTES)),
          ...a.set(v128.load(from.get)),
          ...b.set(v128.load(from.get, REGISTER_BYTES)),
          ...include(hashOfAdded),
          ...a.set(f32x4.add(v128.load(to.get), v128.load(from.get))),
          ...b.set(f32x4.add(v128.load(to.get, REGISTER_BYTES), v128.load(from.get, REGISTER_BYTES))),
          ...v128.store(to.get, a.get),
          ...v128.store(second, b.get),
          ...include(hashOfSum),
        ]),
        ...storeNext(hashOfAdded),
        ...storeNext(hashOfSum),
        ...sum.set(i32.add(sum.get, size.get)),
        ...added.set(i32.add(added.get, size.get)),
      ]),
    ];
  },
);

/** Arguments are byte offsets, but for the number of blocks. */
interface HashFunctions {
  hash(bytes: number, blocks: number, size: number, key: number, out: number): void;
  addAndHash(sum: number, added: number, blocks: number, size: number, key: number, out: number): void;
}

/** What hashes in one memory, under one key. */
interface Hasher {
  readonly functions: HashFunctions;
  /** Byte offset of the key. */
  readonly key: number;
  /** For hashes. */
  readonly room: Uint8Array;
  /** For bytes that lie somewhere else; without it they lie in the memory. */
  readonly piece?: Uint8Array;
}

/** 1 MiB in blocks of 1 KiB has so many. */
const MOST_HASHES = 1024;
const ROOM_BYTES = MOST_HASHES * HASH_BYTES;
/** Bytes that are hashed at once, where they are copied before: they stay in the first cache or the second. */
const PIECE_BYTES = 65_536;
const PAGE_BYTES = 65_536;

const modules = new Map<"shared" | "own", WebAssembly.Module>();

function instantiate(memory: WebAssembly.Memory, kind: "shared" | "own"): HashFunctions {
  const made = [hashFunction, addAndHashFunction];
  const module = modules.get(kind) ?? new WebAssembly.Module(encodeModule(made, kind === "shared"));
  modules.set(kind, module);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return exports as unknown as HashFunctions;
}

function makeShared(memory: WebAssembly.Memory, vector: Float32Array, key: Uint32Array): Hasher | undefined {
  const beside = allocateBeside(vector, key.length + ROOM_BYTES / Float32Array.BYTES_PER_ELEMENT);
  if (memoryOf(beside) !== memory) return undefined; // It is full, or of another thread's heap.
  const { buffer, byteOffset } = beside;
  new Uint32Array(buffer, byteOffset, key.length).set(key);
  const room = new Uint8Array(buffer, byteOffset + key.byteLength, ROOM_BYTES);
  return { functions: instantiate(memory, "shared"), key: byteOffset, room };
}

function makeOwn(key: Uint32Array): Hasher {
  const keyEnd = PIECE_BYTES + key.byteLength;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((keyEnd + ROOM_BYTES) / PAGE_BYTES) });
  new Uint32Array(memory.buffer, PIECE_BYTES, key.length).set(key);
  return {
    functions: instantiate(memory, "own"),
    key: PIECE_BYTES,
    room: new Uint8Array(memory.buffer, keyEnd, ROOM_BYTES),
    piece: new Uint8Array(memory.buffer, 0, PIECE_BYTES),
  };
}

/** By key; and by memory, or for what lies in none that kernels see. */
interface Hashers {
  readonly inMemory: WeakMap<WebAssembly.Memory, Hasher>;
  own?: Hasher;
}

const hashers = new WeakMap<Uint32Array, Hashers>();

function hasherFor({ buffer }: ArrayBufferView, key: Uint32Array): Hasher {
  const ofKey: Hashers = hashers.get(key) ?? { inMemory: new WeakMap() };
  hashers.set(key, ofKey);
  const vector = new Float32Array(buffer, 0, 0);
  const memory = memoryOf(vector);
  const present = memory === undefined ? ofKey.own : ofKey.inMemory.get(memory);
  if (present !== undefined) return present;
  const shared = memory && makeShared(memory, vector, key);
  if (shared === undefined) ofKey.own ??= makeOwn(key);
  const made = shared ?? ofKey.own!;
  if (memory !== undefined) ofKey.inMemory.set(memory, made);
  return made;
}

/**
 * Hashes each whole block of as many bytes as the key has; what is left over has no hash.
 * @param key a multiple of eight words, at most 2¹⁴; not to be changed afterwards
 * @param take gets the hashes in order, eight bytes each, little-endian: as many at once as are there, and only for the time of the call
 */
export function hashBlocks(bytes: Uint8Array, key: Uint32Array, take: (hashes: Uint8Array) => void): void {
  const size = key.byteLength;
  const whole = Math.floor(bytes.length / size);
  if (whole === 0) return;
  const { functions, key: keyAt, room, piece } = hasherFor(bytes, key);
  const most = piece === undefined ? MOST_HASHES : PIECE_BYTES / size;
  for (let block = 0; block < whole; block += most) {
    const count = Math.min(most, whole - block);
    const from = block * size;
    piece?.set(bytes.subarray(from, from + count * size));
    functions.hash(piece === undefined ? bytes.byteOffset + from : 0, count, size, keyAt, room.byteOffset);
    take(room.subarray(0, count * HASH_BYTES));
  }
}

/**
 * a ← a + b, and hashes of both: of b as it is, of a as it becomes. What is left over of whole blocks is added, too. Both [n]
 * @param take gets for each block the hash of b's and then of a's, otherwise as above
 * @returns false, and has done nothing, where they do not lie in one shared memory
 */
export function addAndHashBlocks(
  a: Float32Array,
  b: Float32Array,
  key: Uint32Array,
  take: (hashes: Uint8Array) => void,
): boolean {
  const size = key.byteLength;
  const memory = memoryOf(a);
  if (memory === undefined || memoryOf(b) !== memory) return false;
  const { functions, key: keyAt, room, piece } = hasherFor(a, key);
  if (piece !== undefined) return false;
  const whole = Math.floor(a.byteLength / size);
  const most = MOST_HASHES / 2;
  for (let block = 0; block < whole; block += most) {
    const count = Math.min(most, whole - block);
    const from = block * size;
    functions.addAndHash(a.byteOffset + from, b.byteOffset + from, count, size, keyAt, room.byteOffset);
    take(room.subarray(0, 2 * count * HASH_BYTES));
  }
  for (let i = (whole * size) / Float32Array.BYTES_PER_ELEMENT; i < a.length; i++) a[i] = a[i]! + b[i]!;
  return true;
}
