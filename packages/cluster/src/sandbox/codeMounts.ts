// The clone's code as the nodes see it while it changes: directories with sources, mounted read-only, and nothing else that
// lies about in a clone. What an image takes of it says .dockerignore.

import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";

/** From a path of this machine to one of the nodes. */
export type Mount = readonly [source: string, target: string];

export interface CodeMounts {
  readonly mounts: readonly Mount[];
  /** Paths in the clone that lie in mounted directories and are no sources: nodes see an empty file, or directory, there. */
  readonly hiddenFiles: readonly string[];
  readonly hiddenDirectories: readonly string[];
}

/** Of each package. */
const SOURCES = ["src", "bin"];
const SHOWN_FILE = /^(?!\.)(?:.+\.(?:ts|mjs|js|py|sh|md|proto)|package\.json|tsconfig\.json|hosts\.txt)$/;
const HIDDEN_DIRECTORY = /^(?:\..*|node_modules|runs|dist|coverage)$/;

/** Directories, not files: editors replace files by new ones, which a mounted file would not follow. */
export async function codeMounts(clone: string): Promise<CodeMounts> {
  const packages = await subdirectories(join(clone, "packages"));
  const found = await Promise.all(
    packages.map(async (name) => {
      const path = join("packages", name);
      const there = await subdirectories(join(clone, path));
      return SOURCES.filter((each) => there.includes(each)).map((each) => join(path, each));
    }),
  );
  const directories = [...found.flat(), "examples"];
  const hidden = { files: [] as string[], directories: [] as string[] };
  for (const directory of directories) await findHidden(clone, join(clone, directory), hidden);
  return {
    mounts: directories.map((directory) => [join(clone, directory), `/atoll/${directory}`]),
    hiddenFiles: hidden.files,
    hiddenDirectories: hidden.directories,
  };
}

const subdirectories = async (path: string): Promise<readonly string[]> =>
  (await readdir(path, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

async function findHidden(
  clone: string,
  directory: string,
  hidden: { readonly files: string[]; readonly directories: string[] },
): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      if (HIDDEN_DIRECTORY.test(entry.name)) hidden.directories.push(relative(clone, path));
      else if (entry.name !== "golden") await findHidden(clone, path, hidden);
    } else if (entry.isFile() && !SHOWN_FILE.test(entry.name)) hidden.files.push(relative(clone, path));
  }
}
