// Where the kernel may shape a rank's links, by what ip and tc say of them; that it does is tested in packages/cli, in network
// namespaces.

import { createRandom } from "@atoll/core";
import { type NetworkOptions, resolveNetwork } from "@atoll/network";
import { expect, test } from "vitest";
import { type SystemShaping, shapeBySystem } from "./systemShaping.ts";
import type { RunCommand } from "./trafficControl.ts";

const CONTAINER = [{ linkinfo: { info_kind: "veth" }, link_netnsid: 0 }];
const UNTOUCHED = [{ kind: "noqueue", handle: "0:", root: true }];
/** htb as Atoll sets it up. */
const LEFT_OVER = [{ kind: "htb", handle: "1:", root: true }];

interface Machine {
  readonly addresses?: readonly (string | undefined)[];
  readonly network?: NetworkOptions;
  /** By address. */
  readonly devices?: Readonly<Record<string, string>>;
  readonly link?: readonly unknown[];
  readonly queues?: readonly unknown[];
  /** Commands with this in them fail. */
  readonly lacks?: string;
}

/** What comes of it on a machine, and the commands that changed something there. */
async function shape({
  addresses = [undefined, "10.9.0.2", "::ffff:10.9.0.3"],
  network = { profile: "wan" },
  devices = {},
  link = CONTAINER,
  queues = UNTOUCHED,
  lacks,
}: Machine): Promise<{ readonly shaped: SystemShaping; readonly changes: readonly string[] }> {
  const changes: string[] = [];
  const run: RunCommand = async (argv) => {
    const line = argv.join(" ");
    const done = (value: unknown) => ({ succeeded: true, message: "", output: JSON.stringify(value) });
    if (line.startsWith("ip -json route get")) return done([{ dev: devices[argv.at(-1)!] ?? "eth0" }]);
    if (line === "ip -json -details link show dev eth0") return done(link);
    if (line === "tc -json qdisc show dev eth0") return done(queues);
    changes.push(line);
    const succeeded = lacks === undefined || !line.includes(lacks);
    return { succeeded, message: succeeded ? "" : "RTNETLINK answers: Operation not permitted", output: "" };
  };
  const resolved = resolveNetwork(network, { worldSize: addresses.length, random: createRandom(1) });
  return { shaped: await shapeBySystem({ network: resolved, rank: 0, addresses, run }), changes };
}

const UNDO = "tc qdisc delete dev eth0 root";

test.each<readonly [string, Machine, "system" | "delays"]>([
  ["a container", {}, "system"],
  ["a kernel without netem", { lacks: "netem" }, "delays"],
  ["what a killed run left", { queues: LEFT_OVER }, "system"],
  ["a rank that is not there", { addresses: [undefined, undefined, "10.9.0.3"] }, "system"],
])("%s is shaped, and given back", async (_, machine, shaping) => {
  const { shaped, changes } = await shape(machine);
  expect(shaped).toMatchObject({ kind: "shaped", shaping });
  expect(changes.at(-1)).not.toBe(UNDO);
  if (shaped.kind === "shaped") await shaped.undo();
  expect(changes.at(-1)).toBe(UNDO);
});

test.each<readonly [Machine, RegExp]>([
  [{ link: [{}] }, /^eth0 does not lead out of a container/],
  [{ link: [{ linkinfo: { info_kind: "veth" } }] }, /^eth0 does not lead out of a container/],
  [{ link: [{ linkinfo: { info_kind: "bridge" }, link_netnsid: 0 }] }, /^eth0 does not lead out/],
  [
    { queues: [{ kind: "tbf", handle: "8003:", root: true }] },
    /^eth0 has a queue \(tbf\) that somebody else/,
  ],
  [{ queues: [{ kind: "htb", handle: "5:", root: true }] }, /^eth0 has a queue \(htb\)/],
  [{ devices: { "10.9.0.2": "lo" } }, /^Rank 1 is in the same network namespace as this one/],
  [{ devices: { "10.9.0.2": "eth1" } }, /^The other ranks are behind several devices: eth1, eth0\.$/],
  [{ addresses: [undefined, "10.9.0.2", "10.9.0.2"] }, /^Ranks 1 and 2 have the same address/],
  [{ addresses: [undefined, "fe80::1"] }, /^Rank 1 is connected by IPv6/],
  [
    {
      network: {
        trace: {
          points: [
            [0, 1e6],
            [9, 2e6],
          ],
        },
      },
    },
    /follows a trace, which tc does not/,
  ],
  [{ network: { background: { load: 0.3 } } }, /other traffic that comes and goes, which tc does not/],
])("%j is left alone: %s", async (machine, reason) => {
  const { shaped, changes } = await shape(machine);
  expect(shaped).toEqual({ kind: "impossible", reason: expect.stringMatching(reason) });
  expect(changes).toEqual([]);
});

test("who may not is told what it takes, and nothing stays", async () => {
  const { shaped, changes } = await shape({ lacks: "class add" });
  const reason = expect.stringMatching(
    /^tc class add .*Operation not permitted \(it takes CAP_NET_ADMIN\)\.$/,
  );
  expect(shaped).toEqual({ kind: "impossible", reason });
  expect(changes.at(-1)).toBe(UNDO);
});
