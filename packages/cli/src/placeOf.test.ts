// Whose mistake an error is, by the stack that it has; what programs really throw is tested in badFiles.test.ts.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { placeOf } from "./placeOf.ts";

const packages = fileURLToPath(new URL("../..", import.meta.url));
const withStack = (stack: unknown, error: Error = new Error("no")): Error => Object.assign(error, { stack });
const frames = (...lines: readonly string[]): Error =>
  withStack(["Error: no", ...lines.map((line) => `    at ${line}`)].join("\n"));

test.each<[string, Error, string | undefined]>([
  ["the first frame in a file", frames("Array.map (<anonymous>)", "f (file:///w/a/x.ts:3:7)"), "a/x.ts:3:7"],
  ["a frame without a function", frames("file:///w/x.ts:1:1"), "x.ts:1:1"],
  [
    "a module that waits",
    frames("async open (node:internal/fs:1:2)", "async file:///w/x.ts:4:9"),
    "x.ts:4:9",
  ],
  ["a CommonJS file", frames("Object.<anonymous> (/w/x.cjs:2:5)"), "x.cjs:2:5"],
  ["a place with spaces", frames("f (file:///w/my%20runs/x.ts:3:7)"), "my runs/x.ts:3:7"],
  ["a library's file", frames("f (/w/node_modules/l/i.cjs:1:1)", "g (file:///w/x.ts:3:7)"), undefined],
  [
    "Atoll's own",
    frames(`f (file://${join(packages, "core/src/a.ts")}:1:1)`, "file:///w/x.ts:3:7"),
    undefined,
  ],
  ["no file at all", frames("new Promise (<anonymous>)"), undefined],
  [
    "what cannot be read",
    withStack("file:///w/x.ts:2\nfoo(\n\nSyntaxError: no", new SyntaxError("no")),
    "x.ts:2",
  ],
  ["the same by its path", withStack("/w/a b#c/x.ts:2\nfoo(", new SyntaxError("no")), "a b#c/x.ts:2"],
  ["a message with a place in it", withStack("Error: see\n/etc/hosts:12\n    at <anonymous>"), undefined],
  ["a host that is none", frames("f (file://server/x.ts:3:7)"), undefined],
  ["a path that is no URL's", withStack("/w/pc%zz/x.ts:2\nfoo(", new SyntaxError("no")), "pc%zz/x.ts:2"],
  ["a URL that is no path's", frames("f (file:///w/pc%zz/x.ts:3:7)"), undefined],
  ["a stack that is none", withStack(17), undefined],
])("%s", (_, error, place) => {
  expect(placeOf(error, "/w")).toBe(place);
});

test("what is no error has no place", () => {
  expect(placeOf("no", "/w")).toBeUndefined();
});
