// Where a rank is, by flags and by the environment.

import { expect, test } from "vitest";
import { placeOf, placeOfLauncher, withDashes } from "./rankPlace.ts";

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
  expect(placeOf({ ...flags, "listen-host": "10.0.0.7" }, {}).listenHost).toBe("10.0.0.7");
});

test("the rank environment says what flags leave open", () => {
  const environment = { RANK: "2", WORLD_SIZE: "4", MASTER_ADDR: "head" };
  expect(placeOf({ "master-port": "4000" }, environment)).toMatchObject({
    rank: 2,
    worldSize: 4,
    master: { host: "head", port: 4000 },
  });
  expect(placeOf({}, { SLURM_PROCID: "1", SLURM_NTASKS: "2", SLURM_JOB_NODELIST: "n[3-4]" })).toMatchObject({
    rank: 1,
    worldSize: 2,
    master: { host: "n3" },
  });
});

test("any command is a rank where a launcher has started several, and none elsewhere", () => {
  expect(placeOfLauncher({ RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "head" })).toMatchObject({ rank: 0 });
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
