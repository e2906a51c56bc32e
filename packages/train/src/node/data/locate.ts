// Finds the files of a published data set in a data directory, and downloads those that are absent.

import { access } from "node:fs/promises";
import { join } from "node:path";
import { RunError } from "@atoll/core";
import { type DataOptions, download } from "./download.ts";

export interface PublishedFile {
  /** Its name as published: what it is downloaded as. */
  readonly name: string;
  /** Other names under which it is looked for. */
  readonly alternatives: readonly string[];
  readonly urls: readonly string[];
  readonly sha256: string;
}

export interface PublishedData {
  /** For people. */
  readonly title: string;
  /** The folder in the data directory that files are downloaded into; they are also found in the directory itself. */
  readonly folder: string;
  readonly files: readonly PublishedFile[];
  /** What to do where there is no network. */
  readonly advice: string;
}

/**
 * The path of each file, all of which exist once this returns. A file that is there is used as it is: it may be the
 * user's own, so it is not checked against the checksum.
 * @throws RunError that names the missing files if they cannot be downloaded, and says what to do.
 */
export async function locate(data: PublishedData, options: DataOptions): Promise<readonly string[]> {
  const home = join(options.directory, data.folder);
  const found = await Promise.all(
    data.files.map(({ name, alternatives }) =>
      firstExisting(
        [home, options.directory].flatMap((folder) =>
          [name, ...alternatives].map((candidate) => join(folder, candidate)),
        ),
      ),
    ),
  );
  const missing = data.files.filter((_, i) => found[i] === undefined);
  for (const { name, urls, sha256 } of missing) {
    try {
      await download({ urls, sha256, path: join(home, name) }, options);
    } catch (cause) {
      options.signal?.throwIfAborted();
      if (!(cause instanceof RunError)) throw cause;
      const names = missing.map((file) => file.name).join(", ");
      throw new RunError(
        `${data.title} is not complete in ${home} (missing: ${names}). ${cause.message} Put the missing files there by hand, or ${data.advice}.`,
        cause,
      );
    }
  }
  return data.files.map(({ name }, i) => found[i] ?? join(home, name));
}

async function firstExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    if (exists) return path;
  }
  return undefined;
}
