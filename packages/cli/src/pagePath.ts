// Where a page may go that a flag names: looked at before any work, since what cannot be written, or should not be
// overwritten, is better said then.

import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { makeDirectories, writeError } from "@atoll/checkpoint/node";
import { ConfigError } from "@atoll/core";

/** Bytes from a page's start that hold its generator and title. */
const HEAD_BYTES = 8192;

/** The second is how pages that name no generator can be told: their titles end so. */
const MARKS = ['<meta name="generator" content="Atoll"/>', " · Atoll</title>"];

/**
 * Makes the directory of a page that `flag` puts at `path`, where it is missing.
 * @throws ConfigError if a directory is there, a file that is no page of Atoll's, or if the page cannot be written.
 */
export function preparePagePath(flag: string, path: string): void {
  const present = statSync(path, { throwIfNoEntry: false });
  if (present?.isDirectory())
    throw new ConfigError(`Flag "${flag}": expected a file, got the directory ${path}. Name a file in it.`);
  if (present !== undefined && !(present.isFile() && (present.size === 0 || isOwnPage(path))))
    throw new ConfigError(
      `Flag "${flag}": expected a new file or a page that Atoll wrote, got ${path}, which is another file. Name another place, or move that file away first.`,
    );
  makeDirectories(dirname(path));
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw writeError(path, cause);
  }
}

function isOwnPage(path: string): boolean {
  const head = headOf(path);
  return head.startsWith("<!doctype html>") && MARKS.some((mark) => head.includes(mark));
}

/** Nothing where the file cannot be read: nobody can tell what it is. */
function headOf(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const bytes = Buffer.alloc(HEAD_BYTES);
    return bytes.toString("utf8", 0, readSync(file, bytes, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(file);
  }
}
