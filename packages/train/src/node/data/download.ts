// Downloads a published file from the first of its mirrors that has it, and checks it against its SHA-256 before it
// appears under its name. Network, directory and abort signal are arguments.

import { createHash } from "node:crypto";
import { writeFileAtomic } from "@atoll/checkpoint/node";
import { AtollError, messageOf, RunError } from "@atoll/core";

export interface DownloadProgress {
  readonly url: string;
  readonly receivedBytes: number;
  /** Null where the server does not say. */
  readonly totalBytes: number | null;
}

/** What every loader of published data needs from outside. */
export interface DataOptions {
  /** The data directory: files are looked for in it, and downloaded into it. */
  readonly directory: string;
  readonly fetch: typeof globalThis.fetch;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

export interface Download {
  /** Tried in order. */
  readonly urls: readonly string[];
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** Where the file goes. */
  readonly path: string;
}

/**
 * @throws RunError with every mirror's reason if none delivers the file; ConfigError or RunError if it cannot be written;
 * the signal's reason if it aborts. In none of these cases is a file left behind.
 */
export async function download(file: Download, options: Omit<DataOptions, "directory">): Promise<void> {
  const reasons: string[] = [];
  let lastCause: unknown;
  for (const url of file.urls) {
    options.signal?.throwIfAborted();
    try {
      await writeFileAtomic(file.path, fetchChecked(url, file.sha256, options));
      return;
    } catch (cause) {
      options.signal?.throwIfAborted();
      // The disk's refusal, already worded: another mirror would meet it too.
      if (cause instanceof AtollError) throw cause;
      lastCause = cause;
      reasons.push(`${url}: ${reasonOf(cause)}`);
    }
  }
  throw new RunError(`Could not download ${file.path} (${reasons.join("; ")}).`, lastCause);
}

/** fetch says only "fetch failed"; its cause says why. */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
  if (inner === undefined) return messageOf(error);
  return inner.message || ("code" in inner ? String(inner.code) : messageOf(error));
}

async function* fetchChecked(
  url: string,
  sha256: string,
  { fetch, signal, onProgress }: Omit<DataOptions, "directory">,
): AsyncGenerator<Uint8Array> {
  const response = await fetch(url, signal === undefined ? {} : { signal });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new Error(`HTTP status ${response.status}`);
  }
  const length = response.headers.get("content-length");
  const totalBytes = length === null ? null : Number(length);
  const hash = createHash("sha256");
  let receivedBytes = 0;
  for await (const chunk of response.body) {
    hash.update(chunk);
    receivedBytes += chunk.length;
    onProgress?.({ url, receivedBytes, totalBytes });
    yield chunk;
  }
  const digest = hash.digest("hex");
  if (digest !== sha256) throw new Error(`expected SHA-256 ${sha256}, got ${digest}`);
}
