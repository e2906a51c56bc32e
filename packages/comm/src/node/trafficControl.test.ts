// Commands for traffic control: what they say for given links, and that the kernel here, if it may be asked, takes them.

import { execFile } from "node:child_process";
import { createRandom } from "@atoll/core";
import { type NetworkOptions, resolveNetwork } from "@atoll/network";
import { describe, expect, test } from "vitest";
import { probeTrafficControl, type RunCommand, trafficControl } from "./trafficControl.ts";

const exact: NetworkOptions = { bandwidth: 1e6, latency: 0.02, jitter: 0.1, loss: 0.01, nic: 2e6 };
const networkOf = (options: NetworkOptions, worldSize = 3) =>
  resolveNetwork(options, { worldSize, random: createRandom(1) });
const addresses = ["10.9.0.1", "10.9.0.2", "10.9.0.3"];
const line = (argv: readonly string[]): string => argv.join(" ");

test("a class for each receiver under the NIC's, with netem where there is one", () => {
  const parts = { network: networkOf(exact), rank: 1, addresses, device: "eth0" };
  const { commands, undo, shaping, says } = trafficControl({ ...parts, offers: { htb: true, netem: true } });
  expect(commands.map(line)).toEqual([
    "tc qdisc replace dev eth0 root pfifo",
    "tc qdisc replace dev eth0 root handle 1: htb",
    "tc class add dev eth0 parent 1: classid 1:1 htb rate 16000000bit ceil 16000000bit burst 1600 cburst 1600 quantum 6000",
    "tc class add dev eth0 parent 1:1 classid 1:10 htb rate 8000000bit ceil 8000000bit burst 1600 cburst 1600 quantum 6000",
    "tc filter add dev eth0 protocol ip parent 1: prio 1 u32 match ip dst 10.9.0.1/32 flowid 1:10",
    "tc qdisc add dev eth0 parent 1:10 handle 10: netem delay 20000us 2000us loss 1.000000% limit 100000",
    "tc class add dev eth0 parent 1:1 classid 1:12 htb rate 8000000bit ceil 8000000bit burst 1600 cburst 1600 quantum 6000",
    "tc filter add dev eth0 protocol ip parent 1: prio 1 u32 match ip dst 10.9.0.3/32 flowid 1:12",
    "tc qdisc add dev eth0 parent 1:12 handle 12: netem delay 20000us 2000us loss 1.000000% limit 100000",
  ]);
  expect(undo.map(line)).toEqual(["tc qdisc delete dev eth0 root"]);
  expect([shaping, says]).toEqual(["system", expect.stringContaining("netem) are the kernel's, on eth0")]);
  const without = trafficControl({ ...parts, offers: { htb: true, netem: false } });
  expect(without.commands.map(line)).toEqual(
    commands.map(line).filter((command) => !command.includes("netem")),
  );
  expect([without.shaping, without.says]).toEqual(["delays", expect.stringContaining("which has no netem")]);
});

test("a route over several links has the least bandwidth, the sum of latencies and all losses", () => {
  const network = networkOf({ ...exact, topology: "star" });
  const { commands } = trafficControl({
    network,
    rank: 1,
    addresses,
    device: "eth0",
    offers: { htb: true, netem: true },
  });
  expect(line(commands.at(-1)!)).toContain("netem delay 40000us 4000us loss 1.990000%");
});

test("what cannot be done is refused", () => {
  const parts = { network: networkOf(exact), rank: 0, device: "eth0", addresses };
  expect(() => trafficControl({ ...parts, offers: { htb: false, netem: false, reason: "No." } })).toThrow(
    "Links cannot be shaped by the system. No. Let the processes do it",
  );
  const offers = { htb: true, netem: false };
  expect(() => trafficControl({ ...parts, offers, addresses: ["a", "b", "c"] })).toThrow('got "a"');
});

const run: RunCommand = ([program, ...argv]) =>
  new Promise((resolve) => {
    execFile(program!, argv, (error, output, stderr) =>
      resolve({ succeeded: error === null, message: stderr.trim().split("\n").at(-1) ?? "", output }),
    );
  });

const offers = await probeTrafficControl(run, `atl${process.pid}`);

describe.skipIf(!offers.htb)("in a network namespace of its own", () => {
  test("the kernel takes the commands, and gives up what they made", async () => {
    const space = `atoll-test-${process.pid}`;
    const inside: RunCommand = (argv) => run(["ip", "netns", "exec", space, ...argv]);
    const must = async (ended: ReturnType<RunCommand>): Promise<void> => {
      expect(await ended).toEqual({ succeeded: true, message: "", output: "" });
    };
    await must(run(["ip", "netns", "add", space]));
    try {
      await must(inside(["ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0"]));
      const network = networkOf({ profile: "wan", topology: "ring" }, 4);
      const four = [...addresses, "10.9.0.4"];
      const made = trafficControl({ network, rank: 2, addresses: four, device: "a0", offers });
      // A second time, as after a run that was killed.
      for (const command of [...made.commands, ...made.commands]) await must(inside(command));
      for (const command of made.undo) await must(inside(command));
      expect((await inside(["tc", "qdisc", "delete", "dev", "a0", "root"])).succeeded).toBe(false);
    } finally {
      await run(["ip", "netns", "delete", space]);
    }
  });
});

test("a kernel that may not be asked offers nothing, and says why", async () => {
  const refuses: RunCommand = async () => ({
    succeeded: false,
    message: "RTNETLINK answers: Operation not permitted",
    output: "",
  });
  const { htb, reason } = await probeTrafficControl(refuses);
  expect([htb, reason]).toEqual([
    false,
    "No device to try traffic control on could be made: RTNETLINK answers: Operation not permitted.",
  ]);
});
