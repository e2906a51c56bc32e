// The rank environment: written and read back, and read as other engines set it.

import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type RankEnvironment, writeRankEnvironment } from "./rankEnvironment.ts";
import { readRankEnvironment } from "./readRankEnvironment.ts";

const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().filter((address) => !address.includes(".")),
);
const word = fc.stringMatching(/^[A-Za-z0-9_.-]{1,40}$/);

const environments: fc.Arbitrary<RankEnvironment> = fc
  .record({ numNodes: fc.integer({ min: 1, max: 40 }), slots: fc.integer({ min: 1, max: 8 }) })
  .chain(({ numNodes, slots }) =>
    fc
      .record({
        rank: fc.integer({ min: 0, max: numNodes * slots - 1 }),
        masterAddress: host,
        masterPort: fc.integer({ min: 1, max: 65_535 }),
        nodeAddresses: fc.array(host, { minLength: numNodes, maxLength: numNodes }),
        gpusPerNode: fc.integer({ min: 0, max: 16 }),
        runId: fc.option(word, { nil: undefined }),
        token: fc.option(word, { nil: undefined }),
      })
      .map((fields) => ({
        ...fields,
        worldSize: numNodes * slots,
        numNodes,
        localRank: fields.rank % slots,
        nodeIndex: Math.floor(fields.rank / slots),
      })),
  );

test("what is written is read back", () => {
  fc.assert(
    fc.property(environments, (environment) => {
      expect(readRankEnvironment(writeRankEnvironment(environment))).toEqual(environment);
    }),
  );
});

test("no names, or empty ones, are no rank", () => {
  expect(readRankEnvironment({})).toBeUndefined();
  expect(readRankEnvironment({ PATH: "/bin", RANK: "", SLURM_JOB_ID: "7" })).toBeUndefined();
});

test.each<[string, Record<string, string>, Partial<RankEnvironment>]>([
  [
    "torchrun",
    {
      RANK: "5",
      WORLD_SIZE: "8",
      LOCAL_RANK: "1",
      LOCAL_WORLD_SIZE: "4",
      GROUP_RANK: "1",
      MASTER_ADDR: "a.example",
      MASTER_PORT: "1234",
      TORCHELASTIC_RUN_ID: "job",
    },
    {
      rank: 5,
      worldSize: 8,
      localRank: 1,
      nodeIndex: 1,
      numNodes: 2,
      masterAddress: "a.example",
      masterPort: 1234,
      runId: "job",
    },
  ],
  [
    "SkyPilot",
    {
      SKYPILOT_NODE_RANK: "1",
      SKYPILOT_NUM_NODES: "2",
      SKYPILOT_NODE_IPS: "10.0.0.1\n10.0.0.2",
      SKYPILOT_NUM_GPUS_PER_NODE: "4",
      SKYPILOT_TASK_ID: "sky-1",
    },
    {
      rank: 1,
      worldSize: 2,
      localRank: 0,
      nodeIndex: 1,
      numNodes: 2,
      masterAddress: "10.0.0.1",
      masterPort: 29_500,
      nodeAddresses: ["10.0.0.1", "10.0.0.2"],
      gpusPerNode: 4,
      runId: "sky-1",
    },
  ],
  [
    "torchrun under SkyPilot: RANK counts processes",
    {
      RANK: "3",
      WORLD_SIZE: "4",
      LOCAL_RANK: "1",
      LOCAL_WORLD_SIZE: "2",
      MASTER_ADDR: "10.0.0.1",
      SKYPILOT_NODE_RANK: "1",
      SKYPILOT_NUM_NODES: "2",
    },
    { rank: 3, worldSize: 4, nodeIndex: 1, numNodes: 2 },
  ],
  [
    "Slurm",
    {
      SLURM_PROCID: "3",
      SLURM_NTASKS: "4",
      SLURM_LOCALID: "1",
      SLURM_NODEID: "1",
      SLURM_NNODES: "2",
      SLURM_JOB_NODELIST: "n[08-09]",
      SLURM_JOB_ID: "42",
    },
    {
      rank: 3,
      worldSize: 4,
      localRank: 1,
      nodeIndex: 1,
      numNodes: 2,
      masterAddress: "n08",
      nodeAddresses: ["n08", "n09"],
      runId: "42",
    },
  ],
  [
    "Slurm with the address that the launcher looked up",
    { SLURM_PROCID: "0", SLURM_NTASKS: "2", SLURM_JOB_NODELIST: "n[1-2]", MASTER_ADDR: "10.1.1.1" },
    { rank: 0, masterAddress: "10.1.1.1" },
  ],
  [
    "Kubernetes",
    { JOB_COMPLETION_INDEX: "2", WORLD_SIZE: "3", MASTER_ADDR: "job-0.job" },
    { rank: 2, worldSize: 3, nodeIndex: 2, numNodes: 3, localRank: 0, masterAddress: "job-0.job" },
  ],
  ["one rank needs no address", { RANK: "0", WORLD_SIZE: "1" }, { masterAddress: "127.0.0.1" }],
])("%s", (_, environment, expected) => {
  expect(readRankEnvironment(environment)).toMatchObject(expected);
});

test.each<[Record<string, string>, RegExp]>([
  [{ RANK: "0" }, /^RANK is set and WORLD_SIZE is not: expected both\. Set WORLD_SIZE/],
  [{ WORLD_SIZE: "2" }, /^WORLD_SIZE is set and no rank is: expected one of RANK, SKYPILOT_NODE_RANK, /],
  [{ RANK: "2", WORLD_SIZE: "2" }, /^RANK: expected a rank from 0 to 1, since WORLD_SIZE is 2, got 2/],
  [{ RANK: "x", WORLD_SIZE: "2" }, /variable RANK: expected a whole number from 0 on, got "x"/],
  [{ RANK: "0", WORLD_SIZE: "0" }, /variable WORLD_SIZE: expected a whole number from 1 on, got "0"/],
  [{ RANK: "0", WORLD_SIZE: "2" }, /^RANK is set and MASTER_ADDR is not: .* where 2 ranks meet/],
  [
    { RANK: "0", WORLD_SIZE: "1", MASTER_PORT: "70000" },
    /variable MASTER_PORT: expected a port from 1 to 65535/,
  ],
  [{ SLURM_PROCID: "0" }, /^SLURM_PROCID is set and SLURM_NTASKS or SLURM_NPROCS is not/],
  [
    { SLURM_PROCID: "0", SLURM_NTASKS: "2", SLURM_NODELIST: "n[1-" },
    /variable SLURM_NODELIST: expected a list of nodes .* got "n\[1-"/,
  ],
  [{ JOB_COMPLETION_INDEX: "0" }, /Kubernetes tells a pod only its index: add WORLD_SIZE/],
  [{ JOB_COMPLETION_INDEX: "0", WORLD_SIZE: "2" }, /MASTER_ADDR is not: .*<job>-0\.<service>/],
  [
    { RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "a", NUM_NODES: "2", SKYPILOT_NUM_NODES: "3" },
    /NUM_NODES is 2 and SKYPILOT_NUM_NODES is 3\. They contradict/,
  ],
  [
    { RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "a", NUM_NODES: "3" },
    /There are 3 nodes and 2 ranks, fewer than one a node/,
  ],
  [
    { RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "a", SKYPILOT_NODE_IPS: "a" },
    /There are 2 nodes and 1 addresses of nodes/,
  ],
  [
    { RANK: "0", WORLD_SIZE: "1", MASTER_ADDR: "a", DIST_URL: "tcp://b:29500" },
    /DIST_URL is tcp:\/\/b:29500, MASTER_ADDR is a and the port 29500/,
  ],
])("%j is refused", (environment, message) => {
  expect(() => readRankEnvironment(environment)).toThrow(ConfigError);
  expect(() => readRankEnvironment(environment)).toThrow(message);
});
