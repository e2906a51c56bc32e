import { afterEach, expect, test, vi } from "vitest";
import { turn } from "./turn.ts";

afterEach(() => vi.unstubAllGlobals());

test.each([
  ["setImmediate, as in Node", true],
  ["MessageChannel, as in browsers", false],
])("every microtask has run when the turn is over: %s", async (_, immediate) => {
  if (!immediate) vi.stubGlobal("setImmediate", undefined);
  let done = 0;
  const chain = async (): Promise<void> => {
    for (let i = 0; i < 1000; i++) await Promise.resolve();
    done++;
  };
  void chain();
  void Promise.resolve().then(chain);
  await turn();
  expect(done).toBe(2);
});
