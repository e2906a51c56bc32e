// Where in a program of the user's own something went wrong: an experiment's file, a model or a strategy beside it. What goes
// wrong in Atoll or a library is none of the user's mistakes, even if the user's program has called it.

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "@atoll/core";

/** Of this clone. */
const OWN = new URL("../..", import.meta.url).href;

/** "exp.ts:6:13", from the directory where the command was called; undefined if it was not in the user's own code. */
export function placeOf(error: unknown, workingDirectory: string): string | undefined {
  if (!(error instanceof Error) || error.stack === undefined) return undefined;
  // What cannot be read as a program is named in a line of its own; frames of the platform's functions are passed over.
  const found =
    /^(?<url>(?:file:\/)?\/\S+):(?<place>\d+)$/m.exec(error.stack.split("\n    at ")[0]!) ??
    /^ {4}at (?:.*\()?(?<url>file:\/\/[^\s)]+?):(?<place>\d+:\d+)\)?$/m.exec(error.stack);
  const { url: named, place } = found?.groups ?? {};
  if (named === undefined) return undefined;
  const url = new URL(named, "file:").href;
  if (url.startsWith(OWN) || url.includes("/node_modules/")) return undefined;
  return `${relative(workingDirectory, fileURLToPath(url))}:${place}`;
}

/** What was thrown, in words, and where if that was in the user's own code. */
export function wordsAndPlace(error: unknown, workingDirectory: string): string {
  const place = placeOf(error, workingDirectory);
  return place === undefined ? messageOf(error) : `${messageOf(error)} (${place})`;
}
