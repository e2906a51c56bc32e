// What ONNX Runtime leaves on a machine, by a process that loads it.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

test("the runtime keeps no log and no number of the device", () => {
  const directory = mkdtempSync(join(tmpdir(), "atoll-telemetry-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    const [{ multiply }, { lower }, { createSession }] = await Promise.all([
      import(${at("../ops.ts")}), import(${at("../program.ts")}), import(${at("./session.ts")}),
    ]);
    const x = { shape: [3], dtype: "float32", data: new Float32Array(3) };
    await using session = await createSession(lower(({ x }) => ({ y: multiply(x, 2) }), { x }));
    await session.run({ x: new Float32Array(3) }, { y: new Float32Array(3) });`;
  execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    env: { PATH: process.env.PATH, HOME: directory, TMPDIR: directory },
  });
  expect(readdirSync(directory)).toEqual([]);
});
