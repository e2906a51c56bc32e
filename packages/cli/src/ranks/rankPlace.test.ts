// Where a rank is, by flags and by the environment.

import { expect, test } from "vitest";
import { placeOf, placeOfLauncher, withDashes } from "./rankPlace.ts";

const SECRET = { ATOLL_TOKEN: "secret" };
const flags = { "node-rank": "1", nnodes: "3", "master-addr": "10.0.0.1", "master-port": "4000" };

test("flags say all, and listen beyond the machine only where rank 0 is on another", () => {
  expect(placeOf(flags, { ATOLL_TOKEN: "secret" })).toMatchObject({
    rank: 1,
    worldSize: 3,
    master: { host: "10.0.0.1", port: 4000 },
    listenHost: "0.0.0.0",
    token: "secret",
  });
  expect(placeOf({ ...flags, "master-addr": "localhost" }, {}).listenHost).toBe("127.0.0.1");
  expect(placeOf({ ...flags, "listen-host": "10.0.0.7" }, SECRET).listenHost).toBe("10.0.0.7");
});

test.each<readonly [string, Readonly<Record<string, string>>, Readonly<Record<string, string>>, string]>([
  ["flags", flags, {}, "10.0.0.1"],
  ["torchrun", {}, { RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "head" }, "head"],
  ["Slurm", {}, { SLURM_PROCID: "1", SLURM_NTASKS: "2", SLURM_JOB_NODELIST: "n[3-4]" }, "n3"],
  [
    "Kubernetes",
    {},
    { JOB_COMPLETION_INDEX: "0", WORLD_SIZE: "2", MASTER_ADDR: "job-0.ranks" },
    "job-0.ranks",
  ],
  [
    "SkyPilot",
    {},
    { SKYPILOT_NODE_RANK: "0", SKYPILOT_NUM_NODES: "2", SKYPILOT_NODE_IPS: "10.0.0.1\n10.0.0.2" },
    "10.0.0.1",
  ],
  ["an open address", { ...flags, "master-addr": "127.0.0.1", "listen-host": "0.0.0.0" }, {}, "0.0.0.0"],
])("ranks that listen beyond their machine without a secret are refused: %s", (_, given, variables, host) => {
  expect(() => placeOf(given, variables)).toThrow(
    `ATOLL_TOKEN: expected a secret that is the same on all ranks, since they listen beyond this machine (${host})`,
  );
  expect(() => placeOf(given, variables)).toThrow("export ATOLL_TOKEN=$(openssl rand -hex 32)");
  expect(placeOf(given, { ...variables, ...SECRET }).token).toBe("secret");
});

test("one rank alone, and ranks of one machine, need no secret", () => {
  expect(placeOf({ "node-rank": "0", nnodes: "1", "master-addr": "10.0.0.1" }, {}).token).toBe("");
  expect(placeOf({ ...flags, "master-addr": "127.0.0.1" }, {}).token).toBe("");
});

test("the rank environment says what flags leave open", () => {
  const environment = { RANK: "2", WORLD_SIZE: "4", MASTER_ADDR: "head", ...SECRET };
  expect(placeOf({ "master-port": "4000" }, environment)).toMatchObject({
    rank: 2,
    worldSize: 4,
    master: { host: "head", port: 4000 },
  });
  expect(
    placeOf({}, { SLURM_PROCID: "1", SLURM_NTASKS: "2", SLURM_JOB_NODELIST: "n[3-4]", ...SECRET }),
  ).toMatchObject({
    rank: 1,
    worldSize: 2,
    master: { host: "n3" },
  });
});

test("any command is a rank where a launcher has started several, and none elsewhere", () => {
  expect(placeOfLauncher({ RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "head", ...SECRET })).toMatchObject({
    rank: 0,
  });
  expect(placeOfLauncher({ RANK: "0", WORLD_SIZE: "1" })).toBeUndefined();
  expect(placeOfLauncher({ SLURM_PROCID: "0", SLURM_NTASKS: "4" })).toBeUndefined();
  expect(placeOfLauncher({})).toBeUndefined();
});

test.each<readonly [Readonly<Record<string, string>>, string]>([
  [{}, "Expected --node_rank, --nnodes, --master_addr, got nothing."],
  [{ "node-rank": "0", nnodes: "2" }, "Expected --master_addr, got nothing."],
  [{ ...flags, "node-rank": "3" }, 'Flag "--node_rank": expected a rank from 0 to 2 (--nnodes is 3), got 3.'],
  [
    { ...flags, "master-port": "99999" },
    'Flag "--master_port": expected a whole number from 1 to 65535, got "99999".',
  ],
  [{ ...flags, nnodes: "two" }, 'Flag "--nnodes": expected a whole number of at least 1, got "two".'],
])("refuses what is no place: %j", (given, message) => {
  expect(() => placeOf(given, {})).toThrow(message);
});

test("flags may be written with underscores, as torchrun has them", () => {
  expect(["--master_addr=a_b", "--node_rank", "data_x=1"].map(withDashes)).toEqual([
    "--master-addr=a_b",
    "--node-rank",
    "data_x=1",
  ]);
});
