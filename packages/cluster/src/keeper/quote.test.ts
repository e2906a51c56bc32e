// Quoting, read back by the shells of this machine.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyText } from "../test/text.ts";
import { quote } from "./quote.ts";

const shells = ["/bin/sh", "/bin/bash", "/bin/dash", "/bin/busybox"].filter((path) => existsSync(path));

test.each(shells)("%s reads every text as it was", (shell) => {
  fc.assert(
    fc.property(fc.array(anyText, { minLength: 1, maxLength: 50 }), (texts) => {
      const script = `printf '%s\\0' ${texts.map(quote).join(" ")}`;
      const argv = shell.endsWith("busybox") ? ["sh", "-c", script] : ["-c", script];
      expect(execFileSync(shell, argv).toString().split("\0").slice(0, -1)).toEqual(texts);
    }),
    { numRuns: 25 },
  );
});

test("no program can be given a NUL character", () => {
  expect(() => quote("a\0b")).toThrow(ConfigError);
});
