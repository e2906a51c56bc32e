import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { ConfigError, createRandom, RunError } from "@atoll/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { gather } from "../../data/dataset.ts";
import { type DataOptions, type DownloadProgress, loadMnist, type MnistArchive } from "./index.ts";

type File = keyof MnistArchive["sha256"];

let directory: string;
let options: DataOptions;
const servers: Server[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-mnist-"));
  options = { directory, fetch };
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
  await rm(directory, { recursive: true });
});

/** An IDX file of bytes: its header by the format's description, then the values. */
function idx(shape: readonly number[], values: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  for (const [i, length] of shape.entries()) header.writeUInt32BE(length, 4 + 4 * i);
  return Buffer.concat([header, values]);
}

const noise = (length: number): Uint8Array => {
  const random = createRandom(length);
  return Uint8Array.from({ length }, () => random.integer(256));
};

/** A small MNIST, gzipped: 7 training and 3 test images of noise. */
const images = noise(7 * 784);
const archive: Readonly<Record<File, Buffer>> = {
  "train-images-idx3-ubyte": gzipSync(idx([7, 28, 28], images)),
  "train-labels-idx1-ubyte": gzipSync(idx([7], Uint8Array.of(5, 0, 4, 1, 9, 2, 1))),
  "t10k-images-idx3-ubyte": gzipSync(idx([3, 28, 28], noise(3 * 784))),
  "t10k-labels-idx1-ubyte": gzipSync(idx([3], Uint8Array.of(7, 2, 1))),
};
const files = Object.keys(archive) as File[];

async function place(folder: string, changed: Partial<Record<File, Buffer>> = {}): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const file of files) await writeFile(join(folder, `${file}.gz`), changed[file] ?? archive[file]);
}

/** A server on this machine; `respond` gets the file's name. Returns its base URL and the names asked for. */
async function serve(
  respond: (name: string) => { status?: number; body: Uint8Array; cut?: boolean },
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    asked.push(name);
    const { status = 200, body, cut } = respond(name);
    response.writeHead(status, { "content-length": body.length });
    if (!cut) return void response.end(body);
    response.write(body.subarray(0, body.length >> 1), () => response.destroy());
  });
  servers.push(server);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked };
}

const published = (mirrors: readonly string[]): MnistArchive => ({
  mirrors,
  sha256: Object.fromEntries(
    files.map((file) => [file, createHash("sha256").update(archive[file]).digest("hex")]),
  ) as MnistArchive["sha256"],
});

const good = (name: string) => ({ body: archive[name.replace(".gz", "") as File] });

/** The rejection's error; a load that succeeds fails the test. */
async function failure(load: Promise<unknown>): Promise<Error> {
  const error = await load.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("expected the load to fail");
  return error;
}

describe("reading", () => {
  test("images are normalised, labels and counts are the files'", async () => {
    await place(join(directory, "mnist"));
    const { train, test: held } = await loadMnist(options);
    expect([train.size, held.size, train.classes]).toEqual([7, 3, 10]);
    expect([...train.labels!]).toEqual([5, 0, 4, 1, 9, 2, 1]);
    const x = new Float32Array(784);
    const y = new Int32Array(1);
    gather(train.source, Uint32Array.of(4), x, y);
    expect(y[0]).toBe(9);
    for (let k = 0; k < 784; k++) expect(x[k]).toBeCloseTo((images[4 * 784 + k]! / 255 - 0.1307) / 0.3081, 5);
  });

  test("files may lie in the data directory itself, and be plain", async () => {
    for (const file of files) await writeFile(join(directory, file), gunzipSync(archive[file]));
    const { train } = await loadMnist(options);
    expect(train.size).toBe(7);
  });
});

describe("damaged files are named, with byte, expectation and finding", () => {
  const truncated = gunzipSync(archive["train-images-idx3-ubyte"]).subarray(0, 1000);
  const flipped = Buffer.from(archive["train-images-idx3-ubyte"]);
  flipped[2000] = flipped[2000]! ^ 0xff;
  const cases: [string, Partial<Record<File, Buffer>>, RegExp][] = [
    [
      "too few values",
      { "train-images-idx3-ubyte": gzipSync(truncated) },
      /train-images.*byte 1000: expected the end after 5488 values of shape \[7,28,28\], got the end after 984/,
    ],
    [
      "too many values",
      { "t10k-labels-idx1-ubyte": gzipSync(idx([3], new Uint8Array(5))) },
      /t10k-labels.*byte 11: .*got 2 bytes more/,
    ],
    [
      "a header cut short",
      { "t10k-images-idx3-ubyte": Buffer.from([0, 0, 8, 3, 0, 0]) },
      /t10k-images.*byte 6: expected a header of 16 bytes/,
    ],
    [
      "labels where images should be",
      { "train-images-idx3-ubyte": archive["train-labels-idx1-ubyte"] },
      /train-images.*byte 0: expected 00 00 08 03 .* got 00 00 08 01/,
    ],
    ["an empty file", { "train-images-idx3-ubyte": Buffer.alloc(0) }, /byte 0: .*got an empty file/],
    ["not IDX at all", { "train-images-idx3-ubyte": Buffer.from("<html>") }, /byte 0: .*got 3c 68 74 6d/],
    [
      "images of another size",
      { "train-images-idx3-ubyte": gzipSync(idx([7, 28, 14], noise(7 * 28 * 14))) },
      /train-images.*byte 12: expected images of 28 columns, got 14/,
    ],
    [
      "no images",
      { "t10k-images-idx3-ubyte": gzipSync(idx([0, 28, 28], new Uint8Array(0))) },
      /t10k-images.*byte 4: expected at least one image/,
    ],
    [
      "counts that disagree",
      { "train-labels-idx1-ubyte": gzipSync(idx([6], new Uint8Array(6))) },
      /train-labels.*byte 4: expected 7 labels, one for each image of .*train-images.*, got 6/,
    ],
    [
      "a label that is no digit",
      { "t10k-labels-idx1-ubyte": gzipSync(idx([3], Uint8Array.of(0, 10, 2))) },
      /t10k-labels.*byte 9: expected a label from 0 to 9, got 10/,
    ],
    [
      "gzip cut short",
      { "train-images-idx3-ubyte": archive["train-images-idx3-ubyte"].subarray(0, 3000) },
      /train-images.*cannot be read on from byte 3000 of 3000/,
    ],
    [
      "gzip with a wrong byte",
      { "train-images-idx3-ubyte": flipped },
      /train-images.*cannot be read on from byte \d+ of \d+/,
    ],
  ];
  test.each(cases)("%s", async (_, changed, message) => {
    await place(directory, changed);
    const error = await failure(loadMnist(options));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });
});

describe("downloading", () => {
  test("what is missing is fetched, checked and kept; progress adds up", async () => {
    const { url, asked } = await serve(good);
    const seen = new Map<string, DownloadProgress>();
    const onProgress = (progress: DownloadProgress): void => {
      expect(progress.receivedBytes).toBeGreaterThan(seen.get(progress.url)?.receivedBytes ?? 0);
      seen.set(progress.url, progress);
    };
    const first = await loadMnist({ ...options, onProgress }, published([url]));
    for (const { receivedBytes, totalBytes } of seen.values()) expect(receivedBytes).toBe(totalBytes);
    expect([...seen.keys()].sort()).toEqual(files.map((file) => `${url}${file}.gz`).sort());
    const second = await loadMnist(options, published([url]));
    expect(second).toEqual(first);
    expect(asked).toHaveLength(4);
    expect((await readdir(join(directory, "mnist"))).sort()).toEqual(
      files.map((file) => `${file}.gz`).sort(),
    );
  });

  test("files that are there are used as they are, without a checksum; only the others are fetched", async () => {
    const { url, asked } = await serve(good);
    const own = gzipSync(idx([7], new Uint8Array(7)));
    await writeFile(join(directory, "train-labels-idx1-ubyte.gz"), own);
    const { train } = await loadMnist(options, published([url]));
    expect([...train.labels!]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(asked).not.toContain("train-labels-idx1-ubyte.gz");
    expect(asked).toHaveLength(3);
  });

  test("a mirror that is gone, broken off or wrong is passed over", async () => {
    const gone = await serve(() => ({ status: 404, body: Buffer.from("no") }));
    const cut = await serve((name) => ({ ...good(name), cut: true }));
    const wrong = await serve(() => ({ body: Buffer.from("a login page") }));
    const right = await serve(good);
    const mirrors = [gone.url, cut.url, wrong.url, right.url];
    expect((await loadMnist(options, published(mirrors))).train.size).toBe(7);
    const path = join(directory, "mnist", "train-images-idx3-ubyte.gz");
    expect(await readFile(path)).toEqual(archive["train-images-idx3-ubyte"]);
  });

  test("a wrong checksum everywhere is an error, and leaves nothing behind", async () => {
    const wrong = await serve(() => ({ body: Buffer.from("a login page") }));
    const error = await failure(loadMnist(options, published([wrong.url])));
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toMatch(/expected SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}/);
    expect(await readdir(join(directory, "mnist"))).toEqual([]);
  });

  test("offline: one error says what is missing, why, where to put it, and what works without", async () => {
    const server = await serve(good);
    await new Promise((done) => servers.pop()!.close(done));
    await writeFile(join(directory, "t10k-labels-idx1-ubyte.gz"), archive["t10k-labels-idx1-ubyte"]);
    const error = await failure(loadMnist(options, published([server.url])));
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toContain(join(directory, "mnist"));
    expect(error.message).toMatch(
      /missing: train-images-idx3-ubyte\.gz, train-labels-idx1-ubyte\.gz, t10k-images-idx3-ubyte\.gz\)/,
    );
    expect(error.message).toMatch(/ECONNREFUSED.*by hand.*data=digits/);
  });

  test("an abort ends it with the signal's reason and leaves nothing behind", async () => {
    const { url } = await serve(good);
    const controller = new AbortController();
    const reason = new Error("stopped by the user");
    const onProgress = (): void => controller.abort(reason);
    const error = await failure(
      loadMnist({ ...options, signal: controller.signal, onProgress }, published([url, url])),
    );
    expect(error).toBe(reason);
    expect(await readdir(join(directory, "mnist"))).toEqual([]);
  });

  test("a data directory that cannot be written to is the user's to change", async () => {
    const { url } = await serve(good);
    await writeFile(join(directory, "file"), "");
    const blocked = { ...options, directory: join(directory, "file") };
    const error = await failure(loadMnist(blocked, published([url])));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/ENOTDIR/);
  });
});
