// Joining: who is let in, what is said to those who are not, and that nothing is left behind either way.

import { once } from "node:events";
import net from "node:net";
import { ConfigError, RunError } from "@atoll/core";
import { afterEach, expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { joinTcpWorld, type TcpWorld } from "./tcpWorld.ts";
import { joinAll, type Overrides, worldOptions } from "./test/tcpFixture.ts";

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const sockets = (): readonly string[] =>
  process.getActiveResourcesInfo().filter((kind) => /TCP|Connect/.test(kind));
const before = sockets();

/** No socket and no port is left, however it went. */
afterEach(async () => {
  for (let turn = 0; turn < 100 && sockets().length > before.length; turn++)
    await new Promise((resolve) => setImmediate(resolve));
  expect(sockets()).toEqual(before);
});

/** Rank 0 of a world of `worldSize`, that waits for the others, and what `attempt` makes of that. */
async function atRankZero(worldSize: number, attempt: (port: number) => Promise<unknown>): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const stop = new AbortController();
  const first = joinTcpWorld(worldOptions(0, worldSize, 0, { onListening: resolve, signal: stop.signal }));
  first.catch(() => undefined);
  try {
    return await attempt(await promise);
  } finally {
    stop.abort(new Error("stopped"));
    await expect(first).rejects.toThrow("stopped");
  }
}

test.each<[what: string, overrides: Overrides, rank: number, message: string]>([
  ["another size", { worldSize: 4 }, 1, "This run has 3 ranks, not 4."],
  ["a rank out of range", { worldSize: 3 }, 3, "Expected a rank from 0 to 2, got 3."],
  ["another run", { runId: "other" }, 1, "This is run test, not other."],
  ["another token", { token: "guess" }, 1, "The token is not that of run test."],
])("whoever comes with %s is refused with a sentence", async (_, overrides, rank, message) => {
  await atRankZero(3, async (port) => {
    const attempt = joinTcpWorld({ ...worldOptions(rank, 3, port, overrides), rank });
    await expect(attempt).rejects.toThrow(message);
  });
});

test("a rank that is there already, and a second rank 0, are refused", async () => {
  await atRankZero(3, async (port) => {
    const stop = new AbortController();
    const second = joinTcpWorld(worldOptions(1, 3, port, { signal: stop.signal }));
    second.catch(() => undefined);
    let refusal: unknown;
    // The two race for the place; the one that comes second is told.
    const third = joinTcpWorld(worldOptions(1, 3, port, { signal: stop.signal }));
    const loser = Promise.race([second, third]).catch((error: unknown) => {
      refusal = error;
    });
    await loser;
    expect(String(refusal)).toContain("Rank 1 is with this run already.");
    stop.abort();
    await Promise.allSettled([second, third]);
    const other = joinTcpWorld(worldOptions(0, 3, port));
    await expect(other).rejects.toThrow(ConfigError);
    await expect(other).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}: the port is in use, perhaps by another run. Choose another port for this one, such as --master_port P, or --port P of npx atoll launch.`,
    );
  });
});

test("workers may start before the master, and a master that never comes is named", async () => {
  const port = await freePort();
  const others = [1, 2].map((rank) => joinTcpWorld(worldOptions(rank, 3, port)));
  await new Promise((resolve) => setTimeout(resolve, 30));
  const worlds = await Promise.all([joinTcpWorld(worldOptions(0, 3, port)), ...others]);
  await Promise.all(worlds.map((world) => world.communicator.barrier()));
  await Promise.all(worlds.map((world) => world[Symbol.asyncDispose]()));
  const alone = joinTcpWorld(worldOptions(1, 2, port, { joinTimeoutMs: 100 }));
  await expect(alone).rejects.toThrow(
    `Cannot connect to rank 0 at 127.0.0.1:${port}: nobody listens there. Tried for 0.1 s.`,
  );
});

test("those that never come are named", async () => {
  const first = joinTcpWorld(worldOptions(0, 3, 0, { joinTimeoutMs: 50 }));
  await expect(first).rejects.toThrow(RunError);
  await expect(first).rejects.toThrow("ranks 1, 2 did not join within 0.05 s.");
});

test("beyond this machine nobody is listened to unless that is asked for", async () => {
  const asked = joinTcpWorld({ ...worldOptions(0, 2, 0), master: { host: "10.1.2.3", port: 0 } });
  await expect(asked).rejects.toThrow("Say where it is to listen (listenHost)");
  const nowhere = joinTcpWorld({ ...worldOptions(0, 2, 0), listenHost: "203.0.113.1" });
  await expect(nowhere).rejects.toThrow("Cannot listen on 203.0.113.1:0: this machine has no such address.");
});

test("a peer of another version is told of in a sentence", async () => {
  const server = net.createServer((socket) => {
    const header = new Uint8Array(64);
    new DataView(header.buffer).setUint32(0, 0x4c4c5441, true);
    header[4] = 99;
    socket.on("error", () => undefined);
    socket.write(header);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const attempt = joinTcpWorld(worldOptions(1, 2, port, { joinTimeoutMs: 2000 }));
  await expect(attempt).rejects.toThrow("it speaks version 99 of the protocol, this process version 2.");
  server.close();
  await once(server, "close");
});

test("a world of one needs nobody", async () => {
  const [world] = (await joinAll(1)) as [TcpWorld];
  await world.communicator.barrier();
  expect(world.losses()).toEqual([]);
  await world[Symbol.asyncDispose]();
});

test("strangers get little time and few bytes, and are not in the way", async () => {
  await atRankZero(2, async (port) => {
    const strangers = Array.from({ length: 60 }, () => net.connect(port, "127.0.0.1"));
    for (const stranger of strangers) stranger.on("error", () => undefined).resume();
    const closed = strangers.map((stranger) => (stranger.closed ? undefined : once(stranger, "close")));
    // More than are listened to at once: the others are hung up on, and these when they say something else than hello.
    for (const stranger of strangers)
      stranger.write("GET / HTTP/1.1\r\nHost: somebody.example\r\n\r\n".repeat(4));
    await Promise.all(closed);
  });
});

test("a frame before the greeting ends the connection", async () => {
  await atRankZero(2, async (port) => {
    const ended = Promise.withResolvers<string>();
    const connection = Connection.dial(
      { host: "127.0.0.1", port },
      {
        runId: "test",
        handler: { place: ({ length }) => new Uint8Array(length), complete: () => undefined },
        onEnd: ended.resolve,
      },
    );
    connection.write({ kind: 6 }, new Uint8Array(10));
    expect(await ended.promise).toMatch(/closed|broke/);
    await connection[Symbol.asyncDispose]();
  });
});
