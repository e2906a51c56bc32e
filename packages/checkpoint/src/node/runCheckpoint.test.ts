import { mkdir, mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, type ConfigValue, RunError } from "@atoll/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { HostTensor } from "../tensors.ts";
import { writeError, writeFileAtomic } from "./files.ts";
import { latestCheckpoint, loadCheckpoint, saveCheckpoint } from "./runCheckpoint.ts";

let run: string;

beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), "atoll-run-"));
});

afterEach(async () => {
  await rm(run, { recursive: true });
});

/** Float32 with any bits, in ordinary or shared memory; scalars and empty vectors too. */
const tensor: fc.Arbitrary<HostTensor> = fc
  .tuple(fc.array(fc.nat({ max: 2 ** 32 - 1 }), { maxLength: 5 }), fc.boolean(), fc.boolean())
  .map(([bits, shared, scalar]) => {
    const length = scalar ? 1 : bits.length;
    const data = new Float32Array(shared ? new SharedArrayBuffer(length * 4) : new ArrayBuffer(length * 4));
    new Uint32Array(data.buffer).set(bits.slice(0, length));
    return { shape: scalar ? [] : [length], data };
  });

const bits = ({ data }: HostTensor): readonly number[] => [
  ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
];

const content = (value: number) => ({
  tensors: { "node-0000": { w: { shape: [1], data: Float32Array.of(value) } } },
  state: { value },
});

test("what is saved is loaded bit for bit, state included", async () => {
  const files = fc.dictionary(
    fc.stringMatching(/^[a-z]{1,4}-\d{4}$/),
    fc.dictionary(fc.stringMatching(/^[a-zA-Z.]{1,9}$/), tensor),
    { maxKeys: 3 },
  );
  const state = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as ConfigValue);
  await fc.assert(
    fc.asyncProperty(files, state, fc.nat({ max: 10 ** 9 }), async (tensors, saved, step) => {
      const path = await saveCheckpoint(run, step, { tensors, state: saved });
      const checkpoint = loadCheckpoint(path);
      expect(checkpoint.step).toBe(step);
      expect(checkpoint.state).toEqual(saved);
      expect([...checkpoint.files].sort()).toEqual(Object.keys(tensors).sort());
      for (const [file, named] of Object.entries(tensors)) {
        const found = checkpoint.read(file);
        expect(Object.keys(found).sort()).toEqual(Object.keys(named).sort());
        for (const [name, expected] of Object.entries(named)) {
          expect(found[name]!.shape).toEqual(expected.shape);
          expect(bits(found[name]!)).toEqual(bits(expected));
        }
      }
    }),
    { numRuns: 50 },
  );
});

test("the newest is by step, and a run without checkpoints has none", async () => {
  expect(latestCheckpoint(run)).toBeUndefined();
  const old = await saveCheckpoint(run, 99_999_999, content(1));
  await saveCheckpoint(run, 5, content(2));
  expect(latestCheckpoint(run)).toBe(old);
  expect(await saveCheckpoint(run, 100_000_000, content(3))).toBe(latestCheckpoint(run));
  // What an interrupted write leaves does not count as a checkpoint.
  await mkdir(join(run, "checkpoints", ".100000001-Xy12ab"));
  expect(latestCheckpoint(run)).toBe(join(run, "checkpoints", "100000000"));
});

test("saving a step again replaces it; keepLast drops the oldest; nothing else stays", async () => {
  for (const step of [1, 2, 2, 3]) await saveCheckpoint(run, step, content(step * 10));
  const path = await saveCheckpoint(run, 3, content(31), { keepLast: 2 });
  expect((await readdir(join(run, "checkpoints"))).sort()).toEqual(["00000002", "00000003"]);
  expect(loadCheckpoint(path).state).toEqual({ value: 31 });
  expect(loadCheckpoint(path).read("node-0000").w!.data).toEqual(Float32Array.of(31));
  expect((await readdir(path)).sort()).toEqual(["node-0000.safetensors", "state.json"]);
});

test("state that JSON would change silently is a broken promise of the caller", async () => {
  const state = { loss: Number.NaN };
  await expect(saveCheckpoint(run, 1, { tensors: {}, state })).rejects.toThrow(/state "loss" is NaN/);
  expect(await readdir(join(run, "checkpoints"))).toEqual([]);
});

describe("damage is reported with the file", () => {
  test.each([
    [
      "a flipped bit in a tensor",
      (path: string) => flipLastByte(path),
      /node-0000\.safetensors: expected CRC-32/,
    ],
    [
      "a tensor file cut short",
      (path: string) => truncate(path, 98),
      /node-0000\.safetensors is not a whole/,
    ],
    ["a tensor file that is gone", unlink, /node-0000\.safetensors: the file is missing/],
  ])("%s", async (_, damage, message) => {
    const path = await saveCheckpoint(run, 7, content(1));
    await damage(join(path, "node-0000.safetensors"));
    expect(() => loadCheckpoint(path).read("node-0000")).toThrow(ConfigError);
    expect(() => loadCheckpoint(path).read("node-0000")).toThrow(message);
  });

  test.each([
    ["no JSON", "{", /state\.json: expected JSON/],
    ["another format", '{"format":2}', /state\.json: expected format 1, got 2/],
    ["not an object", "3", /state\.json: expected format 1/],
    ["parts missing", '{"format":1,"step":1}', /state\.json: expected step, files and state/],
  ])("state.json: %s", async (_, text, message) => {
    const path = await saveCheckpoint(run, 7, content(1));
    await writeFile(join(path, "state.json"), text);
    expect(() => loadCheckpoint(path)).toThrow(ConfigError);
    expect(() => loadCheckpoint(path)).toThrow(message);
  });
});

async function flipLastByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(path, bytes);
}

describe("files are whole or absent", () => {
  test("a source that fails leaves the old file, and nothing beside it", async () => {
    const path = join(run, "deep", "file");
    await writeFileAtomic(path, "old");
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1, 2, 3);
      throw new Error("the source broke");
    };
    await expect(writeFileAtomic(path, broken())).rejects.toThrow("the source broke");
    expect(await readFile(path, "utf8")).toBe("old");
    await writeFileAtomic(path, [Buffer.from("n"), Buffer.from("ew")]);
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await readdir(join(run, "deep"))).toEqual(["file"]);
  });

  test("a place that cannot be written to is a ConfigError with one sentence", async () => {
    await writeFile(join(run, "checkpoints"), "a file, not a directory");
    const error: unknown = await saveCheckpoint(run, 1, content(1)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(
      /Cannot write .*00000001: expected a directory .* got (ENOTDIR|EEXIST)/,
    );
    expect(() => latestCheckpoint(run)).toThrow(/Cannot look for checkpoints in .*ENOTDIR/);
    await expect(writeFileAtomic(run, "over a directory")).rejects.toThrow(ConfigError);
  });

  test.runIf(process.platform === "linux")("a full disk is a RunError that says so", async () => {
    // /dev/full is the kernel's own full disk: every write to it fails with ENOSPC.
    const cause: unknown = await writeFile("/dev/full", "x").catch((reason: unknown) => reason);
    const error = writeError("runs/a/state.json", cause);
    expect(error).toBeInstanceOf(RunError);
    expect((error as Error).message).toMatch(
      /Cannot write runs\/a\/state\.json: the disk is full \(ENOSPC\)/,
    );
  });
});
