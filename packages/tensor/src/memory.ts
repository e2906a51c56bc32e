// Vectors that worker threads and WebAssembly kernels see without a copy: they lie in shared WebAssembly memories. One
// memory holds nearly 4 GiB, so the heap opens another when one is full. Memory is reserved as address space and becomes
// resident only where it is written to; growing happens in small steps, so a small run stays small.

import { ConfigError, RunError } from "@atoll/core";

const PAGE_BYTES = 65536;
/** Of an element of any type. */
const ELEMENT_BYTES = 4;
/** One less than a 32-bit memory can have: a vector of a memory of 4 GiB cannot be sent to a thread. */
const MOST_PAGES = 65535;
/** 4 MiB. */
const GROWTH_PAGES = 64;
/** A cache line, so that no two vectors share one and kernels load aligned. */
const ALIGNMENT = 64;

export type VectorType = "float32" | "int32" | "uint32";

export type SharedVector<D extends VectorType = VectorType> = {
  readonly float32: Float32Array<SharedArrayBuffer>;
  readonly int32: Int32Array<SharedArrayBuffer>;
  readonly uint32: Uint32Array<SharedArrayBuffer>;
}[D];

type VectorTypeOf<V extends SharedVector> = V extends Float32Array
  ? "float32"
  : V extends Int32Array
    ? "int32"
    : "uint32";

const VECTOR_CLASS: {
  readonly [D in VectorType]: new (
    buffer: SharedArrayBuffer,
    byteOffset: number,
    length: number,
  ) => SharedVector<D>;
} = { float32: Float32Array, int32: Int32Array, uint32: Uint32Array };

/** Where a vector lies, as plain data: with the heap's memories another thread makes the same view of it. */
export interface VectorAddress<D extends VectorType = VectorType> {
  /** Index into the heap's memories. */
  readonly memory: number;
  readonly byteOffset: number;
  /** In elements. */
  readonly length: number;
  readonly dtype: D;
}

export interface Heap {
  /** All memories so far, in the order of their indices; they can be posted to workers. More are opened when needed. */
  readonly memories: readonly WebAssembly.Memory[];
  /** A vector of zeros, float32 by default. */
  alloc<D extends VectorType = "float32">(length: number, dtype?: D): SharedVector<D>;
  /** Gives a vector's memory back; its views must not be used any more. */
  release(vector: SharedVector): void;
  /** @throws ConfigError if the array is not, as a whole, a vector of this heap. */
  addressOf<V extends SharedVector>(vector: V): VectorAddress<VectorTypeOf<V>>;
}

export interface HeapOptions {
  /** The most that one memory may hold; 4 GiB by default. */
  readonly bytesPerMemory?: number;
}

/** Unused bytes of a memory, [start, end). */
interface Gap {
  readonly start: number;
  readonly end: number;
}

export function createHeap({ bytesPerMemory = MOST_PAGES * PAGE_BYTES }: HeapOptions = {}): Heap {
  const maximum = Math.min(Math.floor(bytesPerMemory / PAGE_BYTES), MOST_PAGES);
  const arenas: Arena[] = [];
  const memories: WebAssembly.Memory[] = [];
  const addresses = new WeakMap<ArrayBufferView, VectorAddress>();

  function reserve(bytes: number): { readonly memory: number; readonly byteOffset: number } {
    for (const [memory, arena] of arenas.entries()) {
      const byteOffset = arena.take(bytes);
      if (byteOffset !== undefined) return { memory, byteOffset };
    }
    const arena = new Arena(maximum);
    const byteOffset = arena.take(bytes);
    if (byteOffset === undefined)
      throw new RunError(
        `Cannot allocate a vector of ${bytes} bytes: one shared memory holds ${maximum * PAGE_BYTES}, or the machine has no more; use a smaller model or fewer nodes.`,
      );
    arenas.push(arena);
    memories.push(arena.memory);
    heaps.set(arena.memory, heap);
    return { memory: arenas.length - 1, byteOffset };
  }

  const heap: Heap = {
    memories,
    alloc<D extends VectorType = "float32">(length: number, dtype = "float32" as D) {
      if (!Number.isInteger(length) || length < 0)
        throw new ConfigError(`alloc: expected a length of at least 0, got ${length}.`);
      const address = { ...reserve(alignedBytes(length)), length, dtype };
      const vector = viewAt(memories, address);
      addresses.set(vector, address);
      return vector;
    },
    release(vector) {
      const { memory, byteOffset, length } = this.addressOf(vector);
      vector.fill(0);
      arenas[memory]!.give(byteOffset, alignedBytes(length));
      addresses.delete(vector);
    },
    addressOf<V extends SharedVector>(vector: V) {
      const address = addresses.get(vector);
      if (address === undefined)
        throw new ConfigError(
          `addressOf: expected a vector that this heap allocated, got another array of ${vector.length} elements; pass the vector itself, not a part of it.`,
        );
      return address as VectorAddress<VectorTypeOf<V>>;
    },
  };
  return heap;
}

/** Memories by the buffers that views were made of: growing a memory gives it another buffer, and both are the same bytes. */
const memoryOfBuffer = new WeakMap<ArrayBufferLike, WebAssembly.Memory>();
const heaps = new WeakMap<WebAssembly.Memory, Heap>();

/** The memory that a vector, or a part of one, lies in; undefined for arrays that no heap has made. */
export const memoryOf = ({ buffer }: ArrayBufferView): WebAssembly.Memory | undefined =>
  memoryOfBuffer.get(buffer);

/** A float32 vector of zeros beside `vector`: in the heap that it lies in, or a plain array where it lies in none. */
export function allocateBeside(vector: Float32Array, length: number): Float32Array {
  const memory = memoryOf(vector);
  const heap = memory && heaps.get(memory);
  return heap === undefined ? new Float32Array(length) : heap.alloc(length);
}

/** Float32 vectors of zeros in one shared memory of their own; plain arrays where there are no shared memories. */
export function sharedVectors(...lengths: readonly number[]): readonly Float32Array[] {
  if (typeof SharedArrayBuffer === "undefined") return lengths.map((length) => new Float32Array(length));
  const heap = createHeap();
  return lengths.map((length) => heap.alloc(length));
}

/** The vector at an address, in whichever thread has the heap's memories. */
export function viewAt<D extends VectorType>(
  memories: readonly WebAssembly.Memory[],
  { memory: index, byteOffset, length, dtype }: VectorAddress<D>,
): SharedVector<D> {
  const memory = memories[index]!;
  // That another thread has made it grow this one may not have noticed yet; growing by nothing makes it look.
  if (byteOffset + ELEMENT_BYTES * length > memory.buffer.byteLength) memory.grow(0);
  const buffer = memory.buffer as ArrayBufferLike as SharedArrayBuffer;
  memoryOfBuffer.set(buffer, memory);
  return new VECTOR_CLASS[dtype](buffer, byteOffset, length);
}

const alignedBytes = (length: number): number => Math.ceil((length * ELEMENT_BYTES) / ALIGNMENT) * ALIGNMENT;

/** One memory and its gaps, by address; neighbouring gaps are merged. */
class Arena {
  readonly memory: WebAssembly.Memory;
  readonly #maximum: number;
  #gaps: Gap[] = [];
  /** Everything from here on was never used. */
  #end = 0;

  /** @param maximum in pages */
  constructor(maximum: number) {
    this.#maximum = maximum;
    this.memory = new WebAssembly.Memory({ initial: 0, maximum, shared: true });
  }

  /** Reserves the first gap that is large enough; undefined if there is none and the memory cannot grow. */
  take(bytes: number): number | undefined {
    const index = this.#gaps.findIndex(({ start, end }) => end - start >= bytes);
    const gap = this.#gaps[index];
    if (gap !== undefined) {
      const rest = { start: gap.start + bytes, end: gap.end };
      this.#gaps.splice(index, 1, ...(rest.start < rest.end ? [rest] : []));
      return gap.start;
    }
    const start = this.#end;
    if (!this.#grow(start + bytes)) return undefined;
    this.#end = start + bytes;
    return start;
  }

  give(byteOffset: number, bytes: number): void {
    const gaps = [...this.#gaps, { start: byteOffset, end: byteOffset + bytes }];
    gaps.sort((a, b) => a.start - b.start);
    this.#gaps = [];
    for (const gap of gaps) {
      const last = this.#gaps.at(-1);
      if (last?.end === gap.start) this.#gaps.splice(-1, 1, { start: last.start, end: gap.end });
      else this.#gaps.push(gap);
    }
  }

  #grow(bytes: number): boolean {
    const pages = this.memory.buffer.byteLength / PAGE_BYTES;
    const needed = Math.ceil(bytes / PAGE_BYTES);
    if (needed <= pages) return true;
    if (needed > this.#maximum) return false;
    try {
      this.memory.grow(Math.min(Math.max(needed - pages, GROWTH_PAGES), this.#maximum - pages));
      return true;
    } catch {
      // The machine has no more; the caller says so.
      return false;
    }
  }
}
