import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { ConfigError, RunError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createHeap, type SharedVector, viewAt } from "./memory.ts";

const MEBIBYTE = 2 ** 20;

test("vectors are zero, aligned and do not overlap, whatever is allocated and released in between", () => {
  const command = fc.oneof(
    fc.record({ alloc: fc.integer({ min: 0, max: 50_000 }) }),
    fc.record({ release: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const heap = createHeap({ bytesPerMemory: MEBIBYTE });
      const live: { vector: SharedVector<"float32">; mark: number }[] = [];
      for (const [index, step] of commands.entries()) {
        if ("release" in step) {
          const [gone] = live.length === 0 ? [] : live.splice(step.release % live.length, 1);
          if (gone !== undefined) heap.release(gone.vector);
          continue;
        }
        const vector = heap.alloc(step.alloc);
        expect(vector.length).toBe(step.alloc);
        expect(vector.byteOffset % 64).toBe(0);
        expect(vector.every((value) => value === 0)).toBe(true);
        vector.fill(index + 1);
        live.push({ vector, mark: index + 1 });
      }
      for (const { vector, mark } of live) expect(vector.every((value) => value === mark)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("a full memory is followed by another, and released space is used again", () => {
  const heap = createHeap({ bytesPerMemory: MEBIBYTE });
  const first = heap.alloc(200_000);
  const second = heap.alloc(200_000);
  expect([first, second].map((vector) => heap.addressOf(vector).memory)).toEqual([0, 1]);
  heap.release(first);
  expect(heap.addressOf(heap.alloc(100_000))).toMatchObject({ memory: 0, byteOffset: 0 });
  expect(heap.addressOf(heap.alloc(100_000)).memory).toBe(0);
  expect(heap.memories).toHaveLength(2);
});

test("a heap starts small and grows with what is allocated", () => {
  const heap = createHeap();
  heap.alloc(1000);
  expect(heap.memories[0]!.buffer.byteLength).toBeLessThanOrEqual(4 * MEBIBYTE);
  heap.alloc(3 * MEBIBYTE);
  expect(heap.memories[0]!.buffer.byteLength).toBeLessThanOrEqual(20 * MEBIBYTE);
});

test("another thread finds a vector by its address, also after the memory has grown", async () => {
  const heap = createHeap();
  heap.alloc(10);
  const worker = new Worker(
    `import { parentPort, workerData } from "node:worker_threads";
     import { viewAt } from ${JSON.stringify(new URL("./memory.ts", import.meta.url).href)};
     parentPort.on("message", (address) => {
       const vector = viewAt(workerData, address);
       for (let i = 0; i < vector.length; i++) vector[i] *= 2;
       parentPort.postMessage(vector.length);
     });`,
    { eval: true, workerData: heap.memories, execArgv: ["--input-type=module"] },
  );
  try {
    const vector = heap.alloc(1_200_000, "int32").fill(21);
    const done = new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    worker.postMessage(heap.addressOf(vector));
    expect(await done).toBe(1_200_000);
    expect(vector.every((value) => value === 42)).toBe(true);
    expect(viewAt(heap.memories, heap.addressOf(vector))).toEqual(vector);
  } finally {
    await worker.terminate();
  }
});

test("refuses what cannot be", () => {
  const heap = createHeap({ bytesPerMemory: MEBIBYTE });
  expect(() => heap.alloc(MEBIBYTE)).toThrow(RunError);
  expect(() => heap.alloc(-1)).toThrow(ConfigError);
  expect(() => heap.addressOf(heap.alloc(8).subarray(1))).toThrow(ConfigError);
});

test("vectors of a full memory can be sent to another thread", () => {
  const heap = createHeap();
  const quarter = 2 ** 28; // a GiB of address space each, of which nothing is written
  const vectors = [1, 2, 3, 4].map(() => heap.alloc(quarter));
  while (heap.memories.length < 3) vectors.push(heap.alloc(quarter / 16));
  const { port1, port2 } = new MessageChannel();
  for (const vector of [vectors[0]!, vectors[2]!, vectors.at(-2)!]) {
    port1.postMessage(vector.subarray(0, 5));
    expect(receiveMessageOnPort(port2)!.message).toHaveLength(5);
  }
  port1.close();
});

test("a vector of a memory that another thread has made grow a moment ago is seen", () => {
  // Stands for a memory whose growth this thread has not noticed: until it grows it itself, the buffer is the old one.
  const memory = { buffer: new SharedArrayBuffer(64), grow: (pages: number) => grown(pages) };
  const grown = (pages: number): void => {
    expect(pages).toBe(0);
    memory.buffer = new SharedArrayBuffer(128);
  };
  const address = { memory: 0, byteOffset: 96, length: 8, dtype: "float32" } as const;
  expect(viewAt([memory as unknown as WebAssembly.Memory], address).length).toBe(8);
});
