import { expect, test } from "vitest";
import { lockBuild } from "./locks.ts";

const engine = `engine-${process.pid}`;

test.skipIf(process.platform !== "linux")("builds on one engine take turns, on two they do not", async () => {
  const order: string[] = [];
  const first = await lockBuild(engine);
  const second = lockBuild(engine).then((lock) => {
    order.push("second begins");
    return lock;
  });
  await (await lockBuild(`other-${engine}`))[Symbol.asyncDispose]();
  order.push("first ends");
  await first[Symbol.asyncDispose]();
  await (await second)[Symbol.asyncDispose]();
  expect(order).toEqual(["first ends", "second begins"]);
});

test.skipIf(process.platform !== "linux")(
  "whoever waits for another's build can be interrupted",
  async () => {
    await using _ = await lockBuild(engine);
    const interrupt = new AbortController();
    const waiting = lockBuild(engine, interrupt.signal);
    interrupt.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  },
);
