// The directory of a comparison: new and numbered, or one that is named and gone on with if it exists.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "@atoll/core";

/** Where it is, or is to be made. @throws ConfigError if the name is no directory's or that of a run */
export function comparisonDirectory(
  runsDirectory: string,
  name: string | undefined,
  experiment: string,
): string {
  const path = join(runsDirectory, name ?? freeName(runsDirectory, `${experiment}-compare`));
  if (name !== undefined && !/^\w[\w.-]*$/.test(name))
    throw new ConfigError(
      `Comparison name "${name}": expected letters, digits, ".", "_" and "-" only, since it names a directory.`,
    );
  if (existsSync(join(path, "events.jsonl")))
    throw new ConfigError(`"${name}" in ${runsDirectory} is a run, not a comparison. Choose another --name.`);
  return path;
}

function freeName(runsDirectory: string, stem: string): string {
  for (let number = 1; ; number++) {
    const name = `${stem}-${String(number).padStart(3, "0")}`;
    if (!existsSync(join(runsDirectory, name))) return name;
  }
}
