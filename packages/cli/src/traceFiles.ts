// Bandwidth traces on the command line: where an option names a CSV file, its points take the place of the name. So
// config.json holds what the run was given, and a resumed run needs the file no more.
// `network.trace=uplink.csv network.trace.repeat=true` comes as { kind: "uplink.csv", repeat: true }, like a choice; in JSON, as
// for one of `network.links`, it is { "file": "uplink.csv", "repeat": true }.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ConfigError, type ConfigTree, type ConfigValue, messageOf } from "@atoll/core";
import { parseTrace } from "@atoll/network";

/** The options given, with every trace read. @throws ConfigError for a file that cannot be read or holds no trace */
export async function withTraces(given: ConfigTree, workingDirectory: string): Promise<ConfigTree> {
  const { network } = given;
  if (!isTree(network)) return given;
  const read = (owner: ConfigTree): Promise<ConfigTree> => withTrace(owner, workingDirectory);
  const { between, links } = network;
  return {
    ...given,
    network: {
      ...(await read(network)),
      ...(isTree(between) ? { between: await read(between) } : {}),
      ...(isList(links)
        ? { links: await Promise.all(links.map((link) => (isTree(link) ? read(link) : link))) }
        : {}),
    },
  };
}

async function withTrace(owner: ConfigTree, workingDirectory: string): Promise<ConfigTree> {
  const { trace } = owner;
  if (typeof trace === "string") return { ...owner, trace: await readTrace(trace, workingDirectory) };
  if (!isTree(trace)) return owner;
  const { kind, file = kind, ...others } = trace;
  if (file === undefined) return owner;
  return { ...owner, trace: { ...(await readTrace(String(file), workingDirectory)), ...others } };
}

async function readTrace(name: string, workingDirectory: string): Promise<ConfigTree> {
  let text: string;
  try {
    text = await readFile(resolve(workingDirectory, name), "utf8");
  } catch (cause) {
    throw new ConfigError(
      `Bandwidth trace "${name}" cannot be read: ${messageOf(cause)}. Give the path of a CSV file with rows "seconds,bytes per second".`,
      cause,
    );
  }
  return { name, points: parseTrace(text, name) };
}

const isTree = (value: ConfigValue | undefined): value is ConfigTree =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isList = (value: ConfigValue | undefined): value is readonly ConfigValue[] => Array.isArray(value);
