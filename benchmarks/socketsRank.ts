// One rank of benchmarks/sockets.ts, as a process of its own: does what its parent asks and says how long it took.

import net from "node:net";
import { joinTcpWorld, type TcpWorld } from "@atoll/comm/node";
import { createRandom, seconds } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import {
  addAndHashBlocks,
  addVectors,
  allocateBeside,
  copyVector,
  divideVector,
  hashBlocks,
  sharedVectors,
} from "@atoll/tensor/vectors";

export type Task =
  | { readonly kind: "connect"; readonly previous: number }
  | { readonly kind: "join"; readonly port: number; readonly allReduce: "ring" | "topology" }
  | { readonly kind: "raw"; readonly bytes: number; readonly bufferBytes: number }
  | {
      readonly kind: "allReduce";
      readonly algorithm: "ring" | "tree" | "halving-doubling";
      readonly elements: number;
    }
  | { readonly kind: "end" };

export interface Answer {
  readonly port?: number;
  readonly seconds?: number;
  /** User and system time, in seconds. */
  readonly cpu?: number;
}

const rank = Number(process.argv[2]);
const worldSize = Number(process.argv[3]);
const say = (answer: Answer): void => void process.send!(answer);

const PIECE = 1 << 18;
let received = 0;
let wanted = Number.POSITIVE_INFINITY;
let whenReceived: (() => void) | undefined;
let next: net.Socket | undefined;
let previous: net.Socket | undefined;
let world: TcpWorld | undefined;

let x: Float32Array = new Float32Array(0);

/**
 * Plain sockets at their best, whose bytes come from one vector and are read into another, as an all-reduce's do; with a
 * single short buffer they never leave the cache, which is no way to move anything.
 */
let from = new Uint8Array(PIECE);
let into = new Uint8Array(PIECE);
const listener = net.createServer({ noDelay: true }, (socket) => {
  next = socket;
});
listener.listen(0, "127.0.0.1", () => say({ port: (listener.address() as net.AddressInfo).port }));

const dialPrevious = (port: number): net.Socket =>
  net.connect(
    {
      port,
      host: "127.0.0.1",
      onread: {
        buffer: () => {
          const start = received % into.length;
          return into.subarray(start, start + PIECE);
        },
        callback(count) {
          received += count;
          if (received >= wanted) whenReceived?.();
          return true;
        },
      },
    },
    () => say({}),
  );

async function raw(bytes: number): Promise<void> {
  const all = new Promise<void>((resolve) => {
    whenReceived = resolve;
  });
  wanted = bytes;
  if (received >= wanted) whenReceived!();
  for (let sent = 0; sent < bytes; ) {
    const start = sent % from.length;
    const piece = from.subarray(start, start + Math.min(PIECE, bytes - sent));
    sent += piece.length;
    if (!next!.write(piece)) await new Promise<void>((resolve) => next!.once("drain", () => resolve()));
  }
  await all;
  received -= bytes;
  wanted = Number.POSITIVE_INFINITY;
}

async function timed(run: () => Promise<void>): Promise<Answer> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await run();
  const took = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: took, cpu: (user + system) / 1e6 };
}

async function join(port: number): Promise<void> {
  world = await joinTcpWorld({
    rank,
    worldSize,
    master: { host: "127.0.0.1", port },
    runId: "benchmark",
    token: "benchmark",
    network: resolveNetwork({ topology: "ring" }, { worldSize, random: createRandom(1) }),
    // As in training: kernels where the vectors lie in shared memory.
    arithmetic: {
      add: addVectors,
      divide: divideVector,
      copy: copyVector,
      hashBlocks,
      addAndHashBlocks,
      scratch: (_, length, x) => allocateBeside(x, length),
    },
    clock: { now: () => seconds((performance.timeOrigin + performance.now()) / 1000) },
    ...(rank === 0 ? { onListening: (own: number) => say({ port: own }) } : {}),
  });
  say({});
}

async function answer(task: Task): Promise<void> {
  if (task.kind === "connect") previous = dialPrevious(task.previous);
  else if (task.kind === "join") await join(task.port);
  else if (task.kind === "raw") {
    if (from.length !== task.bufferBytes) {
      from = new Uint8Array(task.bufferBytes);
      into = new Uint8Array(task.bufferBytes);
    }
    say(await timed(() => raw(task.bytes)));
  } else if (task.kind === "allReduce") {
    if (x.length !== task.elements) [x] = sharedVectors(task.elements) as [Float32Array];
    x.fill(rank);
    await world!.communicator.barrier();
    say(await timed(() => world!.communicator.allReduce(x, { algorithm: task.algorithm })));
    if (x[0] !== (worldSize * (worldSize - 1)) / 2) throw new Error(`the sum is ${x[0]}`);
  } else {
    await world![Symbol.asyncDispose]();
    next?.destroy();
    previous?.destroy();
    listener.close();
    process.disconnect();
    process.exit(0);
  }
}

process.on("message", (task: Task) => void answer(task));
