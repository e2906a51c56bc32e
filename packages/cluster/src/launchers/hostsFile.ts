// A hosts file: one machine a line, in the order of ranks. What follows the name may be left away.
//
//   # name or address[:port]      ranks    and what ssh needs to get there
//   node1.example.com
//   alice@node2.example.com:2222  slots=2  identity=~/.ssh/cluster  address=10.0.0.2
//   [2001:db8::7]:2200            4        user=bob  knownHosts=cluster_hosts

import { ConfigError, unknownName } from "@atoll/core";

export interface HostLine {
  /** As ssh is given it; may be an alias of ~/.ssh/config. */
  readonly host: string;
  /** Absent: ssh's own choice. */
  readonly port?: number;
  readonly user?: string;
  /** Ranks on it. */
  readonly slots: number;
  /** By which the other hosts reach it. */
  readonly address: string;
  /** A private key's file; relative to the hosts file, or from ~. */
  readonly identity?: string;
  /** The file of pinned host keys; relative to the hosts file, or from ~. */
  readonly knownHosts?: string;
  /** "hosts.txt:3" */
  readonly where: string;
}

const KEYS = ["slots", "user", "identity", "address", "knownHosts"] as const;
const MOST_SLOTS = 1024;

/**
 * @param name the file's name, for messages
 * @throws ConfigError with the line's number; also for a file without a host
 */
export function parseHosts(text: string, name: string): readonly HostLine[] {
  const hosts: HostLine[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const words = raw
      .replace(/(^|\s)#.*$/, "")
      .split(/\s+/)
      .filter((word) => word !== "");
    if (words.length === 0) continue;
    const host = parseLine(words, `${name}:${index + 1}`);
    const twin = hosts.find((other) => destination(other) === destination(host));
    if (twin)
      throw new ConfigError(
        `${host.where}: ${destination(host)} is on line ${twin.where.split(":").at(-1)} already. Expected each host once; write slots=2 there for two ranks on it.`,
      );
    hosts.push(host);
  }
  if (hosts.length > 0) return hosts;
  const lines = text.trim() === "" ? "it is empty" : "it has only comments";
  throw new ConfigError(
    `${name}: expected at least one host, and ${lines}. Write one a line: name[:port] slots=1.`,
  );
}

/** For people, and to tell hosts apart: user@host:port. */
export const destination = ({ host, port, user }: HostLine): string =>
  `${user === undefined ? "" : `${user}@`}${port === undefined ? host : host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`}`;

function parseLine([target = "", ...words]: readonly string[], where: string): HostLine {
  const parts = /^(?:([^@\s]+)@)?(?:\[([0-9A-Fa-f:.%\w]+)\]|([\w.-]+))(?::(\d+))?$/.exec(target);
  const host = parts?.[2] ?? parts?.[3];
  if (host === undefined || host.startsWith("-") || parts?.[1]?.startsWith("-"))
    throw new ConfigError(
      `${where}: expected [user@]host[:port], with an IPv6 address in brackets, got ${JSON.stringify(target)}.`,
    );
  const options = parseOptions(words, where);
  const port = parts?.[4] === undefined ? undefined : Number(parts[4]);
  if (port !== undefined && (port < 1 || port > 65_535))
    throw new ConfigError(`${where}: expected a port from 1 to 65535, got ${port}.`);
  if (parts?.[1] !== undefined && options.user !== undefined)
    throw new ConfigError(
      `${where}: expected one user, got "${parts[1]}" and "${options.user}". Remove one.`,
    );
  const user = parts?.[1] ?? options.user;
  return {
    host,
    slots: parseSlots(options.slots ?? "1", where),
    address: options.address ?? host,
    where,
    ...(port === undefined ? {} : { port }),
    ...(user === undefined ? {} : { user }),
    ...(options.identity === undefined ? {} : { identity: options.identity }),
    ...(options.knownHosts === undefined ? {} : { knownHosts: options.knownHosts }),
  };
}

function parseOptions(
  words: readonly string[],
  where: string,
): Partial<Record<(typeof KEYS)[number], string>> {
  const options: Partial<Record<(typeof KEYS)[number], string>> = {};
  for (const word of words) {
    const [, name = "slots", value = ""] = /^\d+$/.test(word)
      ? ["", "slots", word]
      : (/^([^=]+)=(.*)$/.exec(word) ?? ["", word, ""]);
    const key = KEYS.find((known) => known === name);
    if (key === undefined) throw unknownName(`key at ${where}:`, name, KEYS);
    if (value === "" || (key === "user" && value.startsWith("-")))
      throw new ConfigError(`${where}: expected ${key}=VALUE, got ${JSON.stringify(word)}.`);
    if (options[key] !== undefined)
      throw new ConfigError(`${where}: expected ${key} once, got it twice. Remove one.`);
    options[key] = value;
  }
  return options;
}

function parseSlots(text: string, where: string): number {
  const slots = Number(text);
  if (/^\d+$/.test(text) && slots >= 1 && slots <= MOST_SLOTS) return slots;
  throw new ConfigError(`${where}: expected slots from 1 to ${MOST_SLOTS}, got ${JSON.stringify(text)}.`);
}
