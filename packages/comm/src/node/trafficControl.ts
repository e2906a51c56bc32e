// A node's links as commands for the Linux kernel's traffic control: what its machine or container is to run so that what it
// sends feels the simulated network's bandwidth (htb, a class for each receiver under one for the NIC) and, where the kernel
// has netem, its latency, jitter and loss. Without netem the delays stay with the process (`shaping: "delays"`). Commands are
// data: whoever may run programs runs them. Only what is sent is shaped; the receiver's NIC is not.
// Source: tc-htb(8), tc-netem(8), tc-u32(8). netem's jitter of ±j is uniform, as the simulator's is.

import { isIPv4 } from "node:net";
import { type Rank, RunError } from "@atoll/core";
import type { Network } from "@atoll/network";

/** What a kernel offers to whoever asked it. */
export interface KernelOffers {
  readonly htb: boolean;
  readonly netem: boolean;
  /** Why it offers nothing, in a sentence; undefined where it does. */
  readonly reason?: string | undefined;
}

export interface Ended {
  readonly succeeded: boolean;
  /** The last line that it said, if it failed. */
  readonly message: string;
  /** What it printed. */
  readonly output: string;
}

/** Runs a program with its arguments. */
export type RunCommand = (argv: readonly string[]) => Promise<Ended>;

export interface TrafficControl {
  /** To be run in order. */
  readonly commands: readonly (readonly string[])[];
  /** Takes it all back. */
  readonly undo: readonly (readonly string[])[];
  /** How the ranks' communicators are to be made for this. */
  readonly shaping: "system" | "delays";
  /** A sentence for the run's record. */
  readonly says: string;
}

export interface TrafficControlOptions {
  readonly network: Network;
  readonly rank: Rank;
  /** IPv4 address of each rank; undefined for one that is not there. */
  readonly addresses: readonly (string | undefined)[];
  /** The device that leads to them: "eth0". */
  readonly device: string;
  readonly offers: KernelOffers;
}

/**
 * Finds out by trying, on a pair of virtual devices that are gone afterwards.
 * @param device a name of so many letters that no other has, 13 at most: two are made of it
 */
export async function probeTrafficControl(run: RunCommand, device = "atollprobe"): Promise<KernelOffers> {
  const nothing = (reason: string): KernelOffers => ({ htb: false, netem: false, reason });
  const [near, far] = [`${device}a`, `${device}b`];
  const made = await run(["ip", "link", "add", near, "type", "veth", "peer", "name", far]);
  if (!made.succeeded) return nothing(`No device to try traffic control on could be made: ${made.message}.`);
  try {
    const htb = await run(["tc", "qdisc", "replace", "dev", near, "root", "handle", "1:", "htb"]);
    if (!htb.succeeded) return nothing(`The kernel has no htb: ${htb.message}.`);
    const netem = await run(["tc", "qdisc", "replace", "dev", near, "root", "netem", "delay", "1ms"]);
    return { htb: true, netem: netem.succeeded };
  } finally {
    await run(["ip", "link", "delete", near]);
  }
}

/** Bits per second, as tc reads a rate; it counts in whole bytes. */
const rate = (bytesPerSecond: number): string => `${Math.max(8, Math.round(8 * bytesPerSecond))}bit`;

/** Microseconds, as tc reads a time. */
const time = (seconds: number): string => `${Math.round(1e6 * seconds)}us`;

/** What htb lets a class send at once: a full packet, so that none waits for its turn in vain. */
const BURST = "1600";
/** Bytes that a class sends before the next has its turn with what is left over. */
const SHARE: readonly string[] = ["quantum", "6000"];
const ROOT = "1:";
const NIC_CLASS = "1:1";

/** @throws RunError if the kernel offers nothing to shape with, or an address is no IPv4 address */
export function trafficControl(options: TrafficControlOptions): TrafficControl {
  const { network, rank, addresses, device, offers } = options;
  if (!offers.htb)
    throw new RunError(
      `Links cannot be shaped by the system. ${offers.reason ?? "The kernel has no htb."} Let the processes do it (shaping in user space).`,
    );
  const wrong = addresses.find((address) => address !== undefined && !isIPv4(address));
  if (wrong !== undefined) throw new RunError(`Expected an IPv4 address for each rank, got "${wrong}".`);
  const { up } = network.nic;
  const others = addresses.flatMap((address, target) =>
    target === rank || address === undefined ? [] : [{ address, target }],
  );
  const nicClass = [
    "htb",
    "rate",
    rate(up),
    "ceil",
    rate(up),
    "burst",
    burst(up),
    "cburst",
    burst(up),
    ...SHARE,
  ];
  const undo = [["tc", "qdisc", "delete", "dev", device, "root"]];
  return {
    commands: [
      // One htb is not replaced by another, and anything is by a plain queue.
      ["tc", "qdisc", "replace", "dev", device, "root", "pfifo"],
      ["tc", "qdisc", "replace", "dev", device, "root", "handle", ROOT, "htb"],
      ["tc", "class", "add", "dev", device, "parent", ROOT, "classid", NIC_CLASS, ...nicClass],
      ...others.flatMap(({ address, target }) => linkCommands(options, address, target, others.length)),
    ],
    undo,
    shaping: offers.netem ? "system" : "delays",
    says: offers.netem
      ? `Bandwidth (htb), latency, jitter and loss (netem) are the kernel's, on ${device}.`
      : `Bandwidth is the kernel's (htb, on ${device}), which has no netem: latency, jitter and loss are kept in the processes.`,
  };
}

/** What may go at once: a packet, or what the rate brings in a millisecond, in whole packets. */
const burst = (bytesPerSecond: number): string =>
  String(Math.max(Number(BURST), 1600 * Math.round(bytesPerSecond / 1000 / 1600)));

function linkCommands(
  { network, rank, device, offers }: TrafficControlOptions,
  address: string,
  target: Rank,
  receivers: number,
): readonly (readonly string[])[] {
  const { up } = network.nic;
  const links = network.topology.route(rank, target);
  const bandwidth = links.reduce((least, link) => Math.min(least, link.bandwidth), up);
  const latency = links.reduce((sum, link) => sum + link.latency, 0);
  const jitter = links.reduce((sum, link) => sum + link.latency * link.jitter, 0);
  const loss = 1 - links.reduce((kept, link) => kept * (1 - link.loss), 1);
  const minor = (target + 16).toString(16);
  const leaf = `1:${minor}`;
  // Each receiver is sure of its part of the NIC, and takes what the others leave of it, up to what its link carries.
  const sure = Math.min(bandwidth, up / receivers);
  const speed = [
    "rate",
    rate(sure),
    "ceil",
    rate(bandwidth),
    "burst",
    burst(sure),
    "cburst",
    burst(bandwidth),
    ...SHARE,
  ];
  const match = ["u32", "match", "ip", "dst", `${address}/32`, "flowid", leaf];
  const delays = [
    "delay",
    time(latency),
    time(jitter),
    "loss",
    `${(100 * loss).toFixed(6)}%`,
    "limit",
    "100000",
  ];
  const commands = [
    ["tc", "class", "add", "dev", device, "parent", NIC_CLASS, "classid", leaf, "htb", ...speed],
    ["tc", "filter", "add", "dev", device, "protocol", "ip", "parent", ROOT, "prio", "1", ...match],
  ];
  if (offers.netem)
    commands.push([
      "tc",
      "qdisc",
      "add",
      "dev",
      device,
      "parent",
      leaf,
      "handle",
      `${minor}:`,
      "netem",
      ...delays,
    ]);
  return commands;
}
