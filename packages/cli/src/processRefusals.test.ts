// What runs on processes refuse, before a rank is started or data is looked for: in one sentence, and without leaving anything.

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommand } from "./test/command.ts";
import { PROCESSES, SMALL } from "./test/smallRuns.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-processes-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test.each<readonly [readonly string[], RegExp]>([
  [["mode=proceses"], /Option "mode": unknown choice "proceses"\. Did you mean "processes"\?/],
  [["nodes=100000"], /Option "nodes": 100000 processes of about .* Use nodes=\d+ or fewer/],
  [
    ["faults.churn.uptime=5", "faults.churn.downtime=1"],
    /Option "faults\.churn": faults come about by themselves .*Leave it out, or use mode=simulated\./,
  ],
  [
    ["faults.disconnects.uptime=5", "faults.disconnects.downtime=1"],
    /Option "faults\.disconnects": .*Leave it out/,
  ],
  [
    ["faults.partitions.uptime=5", "faults.partitions.downtime=1"],
    /Option "faults\.partitions": .*Leave it out/,
  ],
  [
    ["faults.stragglers.probability=0.1", "faults.stragglers.slowdown=2"],
    /Option "faults\.stragglers": .*Leave it out/,
  ],
  [
    ['faults.schedule=[{"kind":"crash","node":1,"at":1}]'],
    /Option "faults\.schedule": .*on a schedule or at random they are for simulated machines/,
  ],
  [
    ["faults.whenMissing=wait", "faults.recovery=checkpoint"],
    /Option "faults\.recovery": .*expected peer, got checkpoint\. Leave it out/,
  ],
  [["record=gradientNorm"], /Option "record": .*Leave it out, or use mode=simulated\./],
  [["compute=measured"], /Option "compute": steps of processes take the time that they take/],
])("%j", async (options, message) => {
  const { exitCode, error } = await runCommand([...PROCESSES, "maxSteps=2", ...options], directory);
  expect(error).toMatch(message);
  expect(exitCode).toBe(2);
  expect(error).toMatch(/^[^\n]+\n$/);
  expect(await readdir(join(directory, "runs")).catch(() => [])).toEqual([]);
});

test.each(["train mnist mode=processes nodes=100000", "validate mnist nodes=3,100000"])(
  "more processes than there is memory for, before data is looked for: %s",
  async (line) => {
    const { exitCode, error } = await runCommand(line.split(" "), directory);
    expect({ exitCode, error }).toEqual({
      exitCode: 2,
      error: expect.stringMatching(/^atoll: Option "nodes": 100000 processes of about [^\n]*\n$/),
    });
  },
);

test("by a launcher's rank either, before it has looked for data or for the other ranks", async () => {
  const environment = { RANK: "1", WORLD_SIZE: "2", MASTER_ADDR: "nowhere", ATOLL_TOKEN: "s" };
  const { exitCode, error } = await runCommand(["train", "mnist", "record=gradientNorm"], directory, {
    environment,
  });
  expect({ exitCode, error }).toEqual({
    exitCode: 2,
    error: expect.stringMatching(/^atoll: Option "record": .*Leave it out, or use mode=simulated\.\n$/),
  });
});

test("real steps on simulated machines", async () => {
  const { exitCode, error } = await runCommand(["train", ...SMALL, "maxSteps=2", "compute=real"], directory);
  expect({ exitCode, error }).toMatchObject({
    exitCode: 2,
    error: expect.stringContaining("Use compute=device"),
  });
});
