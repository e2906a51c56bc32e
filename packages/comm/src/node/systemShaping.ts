// Has the kernel shape what a rank sends (trafficControl.ts), where that touches nobody else: on a device that leads out of
// this process's network namespace to all other ranks, such as a container's. A bare machine's own network, a rank in the
// same namespace, a queue that somebody else has set up: all of that is left alone, with the reason.
// What the kernel has is found out by trying. A run that was killed may have left its queue there; it is replaced.

import { isIPv4 } from "node:net";
import { type ConfigValue, messageOf, type Rank } from "@atoll/core";
import type { Network } from "@atoll/network";
import { type Ended, type RunCommand, type TrafficControl, trafficControl } from "./trafficControl.ts";

export interface SystemShapingOptions {
  readonly network: Network;
  readonly rank: Rank;
  /** Of the other ranks, as connections have them; undefined for this rank and for those that are not there. */
  readonly addresses: readonly (string | undefined)[];
  readonly run: RunCommand;
}

export type SystemShaping =
  | ({ readonly kind: "shaped"; undo(): Promise<void> } & Pick<TrafficControl, "shaping" | "says">)
  /** Nothing is changed. `reason`: a sentence. */
  | { readonly kind: "impossible"; readonly reason: string };

/** Why the kernel cannot, or may not, shape a rank's links. */
class Obstacle extends Error {}

/** Kinds of devices whose other end, or whose carrier, can be in another network namespace. */
const KINDS: readonly unknown[] = ["veth", "macvlan", "ipvlan"];

/** Sets up the queues of a rank's links. */
export async function shapeBySystem(options: SystemShapingOptions): Promise<SystemShaping> {
  const { network, rank, run } = options;
  try {
    refuseChanging(network);
    const addresses = options.addresses.map(plainAddress);
    const device = await deviceTo(addresses, run);
    await refuseShared(device, run);
    const control = await carryOut(run, (netem) =>
      trafficControl({ network, rank, addresses, device, offers: { htb: true, netem } }),
    );
    const { shaping, says } = control;
    return { kind: "shaped", shaping, says, undo: () => runAll(run, control.undo).then(() => undefined) };
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error;
    return { kind: "impossible", reason: messageOf(error) };
  }
}

function refuseChanging({ config }: Network): void {
  if (hasOption(config, "trace"))
    throw new Obstacle("The network's bandwidth follows a trace, which tc does not.");
  if (hasOption(config, "background"))
    throw new Obstacle("The network's links carry other traffic that comes and goes, which tc does not.");
}

/** Whether a network's config says something of that name, of all links or of some. */
const hasOption = (config: ConfigValue, name: string): boolean =>
  typeof config === "object" &&
  config !== null &&
  Object.entries(config).some(([key, value]) => key === name || hasOption(value as ConfigValue, name));

/** Sockets that listen for IPv6, too, have IPv4 addresses as "::ffff:10.0.0.1". */
function plainAddress(address: string | undefined, rank: Rank): string | undefined {
  const plain = address?.replace(/^::ffff:/i, "");
  if (plain !== undefined && !isIPv4(plain))
    throw new Obstacle(`Rank ${rank} is connected by IPv6 (${plain}), and links are told apart by IPv4.`);
  return plain;
}

/** The one device through which all other ranks are reached. */
async function deviceTo(addresses: readonly (string | undefined)[], run: RunCommand): Promise<string> {
  const devices = new Set<string>();
  for (const [rank, address] of addresses.entries()) {
    if (address === undefined) continue;
    const first = addresses.indexOf(address);
    if (first !== rank) throw new Obstacle(`Ranks ${first} and ${rank} have the same address, ${address}.`);
    const [route] = await rowsOf(run, ["ip", "-json", "route", "get", address]);
    const device = String(route?.dev);
    if (device === "lo")
      throw new Obstacle(`Rank ${rank} is in the same network namespace as this one, at ${address}.`);
    devices.add(device);
  }
  const [device, another] = devices;
  if (device === undefined) throw new Obstacle("There is no other rank.");
  if (another !== undefined)
    throw new Obstacle(`The other ranks are behind several devices: ${[...devices].join(", ")}.`);
  return device;
}

/** @throws Obstacle if others than this namespace's processes use the device, or somebody has set up its queue */
async function refuseShared(device: string, run: RunCommand): Promise<void> {
  const [link] = await rowsOf(run, ["ip", "-json", "-details", "link", "show", "dev", device]);
  const { info_kind: kind } = (link?.linkinfo ?? {}) as { readonly info_kind?: unknown };
  if (!KINDS.includes(kind) || link?.link_netnsid === undefined)
    throw new Obstacle(`${device} does not lead out of a container or network namespace of this rank's own.`);
  const queues = await rowsOf(run, ["tc", "-json", "qdisc", "show", "dev", device]);
  const root = queues.find((queue) => queue.root === true);
  const isOwn = root?.kind === "htb" && root.handle === "1:";
  // What the kernel puts there by itself has no number.
  if (root !== undefined && root.handle !== "0:" && !isOwn)
    throw new Obstacle(`${device} has a queue (${String(root.kind)}) that somebody else has set up.`);
}

type Row = Readonly<Record<string, unknown>>;

/** What a program of iproute2 prints as JSON. */
async function rowsOf(run: RunCommand, argv: readonly string[]): Promise<readonly Row[]> {
  const { succeeded, message, output } = await run(argv);
  if (!succeeded) throw new Obstacle(failureOf(argv, message));
  try {
    const rows: unknown = JSON.parse(output);
    if (Array.isArray(rows)) return rows;
  } catch {} // Said below.
  throw new Obstacle(`${argv.join(" ")} does not print JSON: its iproute2 is too old.`);
}

/** With netem if the kernel takes it, else without. @throws Obstacle if it takes neither */
async function carryOut(run: RunCommand, make: (netem: boolean) => TrafficControl): Promise<TrafficControl> {
  let failure: Failure | undefined;
  for (const netem of [true, false]) {
    const control = make(netem);
    failure = await runAll(run, control.commands);
    if (failure === undefined) return control;
    await runAll(run, control.undo);
  }
  const { argv, ended } = failure!;
  throw new Obstacle(failureOf(argv, ended.message));
}

interface Failure {
  readonly argv: readonly string[];
  readonly ended: Ended;
}

/** @returns the first that failed, after which none was run */
async function runAll(
  run: RunCommand,
  commands: readonly (readonly string[])[],
): Promise<Failure | undefined> {
  for (const argv of commands) {
    const ended = await run(argv);
    if (!ended.succeeded) return { argv, ended };
  }
  return undefined;
}

const failureOf = (argv: readonly string[], message: string): string => {
  const said = message.replace(/\.$/, "");
  const remedy = /not permitted|permission|EPERM/i.test(said) ? " (it takes CAP_NET_ADMIN)" : "";
  return `${argv.join(" ")}: ${said}${remedy}.`;
};
