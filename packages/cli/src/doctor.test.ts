// atoll doctor on machines that have all, nothing, or broken programs: fakes on a PATH of their own.

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Captured } from "@atoll/cluster";
import { type Finding, findingOf } from "@atoll/cluster";
import { afterEach, beforeEach, expect, test } from "vitest";
import { usesOf } from "./commands/doctor.ts";
import { thisMachine } from "./doctor/machine.ts";
import { findPrograms, PROGRAMS } from "./doctor/programs.ts";
import { type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-doctor-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Runs doctor where only these programs are, given as shell scripts. */
async function doctor(fakes: Readonly<Record<string, string>>, ...flags: string[]): Promise<CommandResult> {
  for (const [name, script] of Object.entries(fakes)) {
    await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, name), 0o755);
  }
  return runCommand(["doctor", ...flags], directory, { environment: { PATH: directory } });
}

interface Report {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly programs: readonly Finding[];
  readonly uses: readonly { name: string; ready: boolean; with: string[]; remedies: string[] }[];
}

async function report(fakes: Readonly<Record<string, string>>): Promise<Report> {
  const { exitCode, output, error } = await doctor(fakes, "--json");
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: "" });
  expect(output.split("\n")).toHaveLength(2);
  return JSON.parse(output) as Report;
}

test("a machine that has everything", async () => {
  const fakes = Object.fromEntries(PROGRAMS.map(({ name }) => [name, `echo ${name} 1.2.3`]));
  const { machine, programs, uses } = await report({
    ...fakes,
    ssh: "echo OpenSSH_9.2p1 >&2",
    docker: '[ "$1 $2 $3" = "version --format {{.Server.Version}}" ] && echo 27.1.1',
  });
  expect(machine).toEqual({
    system: expect.stringContaining(process.platform),
    cores: expect.toSatisfy((cores: number) => Number.isInteger(cores) && cores > 0),
    cpu: expect.any(String),
    memoryBytes: expect.toSatisfy((bytes: number) => bytes > 1e8),
    freeMemoryBytes: expect.any(Number),
    node: process.versions.node,
    onnxRuntime: true,
  });
  expect(programs).toContainEqual({ program: "docker", status: "ready", version: "27.1.1" });
  expect(programs).toContainEqual({ program: "ssh", status: "ready", version: "OpenSSH_9.2p1" });
  expect(uses.every(({ ready, remedies }) => ready && remedies.length === 0)).toBe(true);
  expect(uses.find(({ name }) => name === "containers")?.with).toEqual(["docker", "podman"]);
});

test("of two engines it is said which one is used", async () => {
  const line = async (fakes: Readonly<Record<string, string>>): Promise<string | undefined> =>
    /^ +yes +runs in containers: [^(]*\(([^)]*)\)/m.exec((await doctor(fakes)).output)?.[1];
  expect(await line({ podman: "echo 5.0.0" })).toBe("podman");
  const both = await line({ docker: "echo 27.1.1", podman: "echo 5.0.0" });
  expect(both?.replace(/\s+/g, " ")).toBe("docker; podman with --engine podman");
});

test("a machine that has none of them can simulate, and is told how to get each", async () => {
  const { exitCode, output, error } = await doctor({});
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: "" });
  for (const row of output.split("\n")) expect(row).toMatch(/^(.{0,99}\S)?$/);
  expect(output).toMatch(/yes +simulated runs: npx atoll train/);
  for (const { name } of PROGRAMS) expect(output).toMatch(new RegExp(`^ {2}${name} +not installed$`, "m"));
  expect(output).toMatch(/apt-get install docker\.io/);
  expect(output).toMatch(/pip install "skypilot/);
  expect(output).not.toMatch(/undefined|\[object/);
});

test("a program that is there and does not answer is to be repaired, and another one may serve", async () => {
  const docker = "echo 'Client: 27.1.1'; echo 'Cannot connect to the Docker daemon' >&2; exit 1";
  const alone = await report({ docker: "echo Cannot connect to the Docker daemon >&2; exit 1" });
  expect(alone.programs[0]).toMatchObject({
    program: "docker",
    status: "broken",
    problem: "ended with code 1: Cannot connect to the Docker daemon",
  });
  const [remedy, ...others] = alone.uses.find(({ name }) => name === "containers")!.remedies;
  expect(remedy).toMatch(/^docker \(ended with code 1: .*\): start the engine/);
  expect(others).toEqual([]);
  const both = await report({ docker, podman: "echo 5.0.0" });
  expect(both.uses.find(({ name }) => name === "containers")).toMatchObject({
    ready: true,
    with: ["podman"],
  });
});

test("every way that a probe can end is worded", () => {
  const [docker] = PROGRAMS;
  const problemOf = (outcome: Captured["outcome"], stdout = "", stderr = ""): string => {
    const finding = findingOf(docker!, { outcome, stdout, stderr });
    return finding.status === "ready" ? finding.version : finding.problem;
  };
  expect(problemOf({ kind: "exited", code: 0 }, " 1.2\nmore", "noise")).toBe("1.2");
  expect(problemOf({ kind: "exited", code: 0 }, "", "1.3")).toBe("1.3");
  expect(problemOf({ kind: "exited", code: 0 })).toBe("ended with code 0: it says nothing");
  expect(problemOf({ kind: "timedOut", afterMs: 10_000 })).toBe("gave no answer within 10 s");
  expect(problemOf({ kind: "killed", signal: "SIGSEGV" })).toBe("was ended by SIGSEGV");
  expect(problemOf({ kind: "failed", message: "EACCES" })).toBe("cannot be started: EACCES");
});

test("probes are asked for all programs at once, each with a time limit", async () => {
  let asked = 0;
  const all = Promise.withResolvers<void>();
  const findings = await findPrograms(async (_, __, { timeoutMs }) => {
    expect(timeoutMs).toBeGreaterThan(0);
    if (++asked === PROGRAMS.length) all.resolve();
    await all.promise;
    return { outcome: { kind: "missing" }, stdout: "", stderr: "" };
  }, {});
  expect(findings.map(({ status }) => status)).toEqual(PROGRAMS.map(() => "missing"));
});

test("without ONNX Runtime nothing can be simulated", async () => {
  const [simulated] = usesOf({ ...(await thisMachine()), onnxRuntime: false }, []);
  expect(simulated).toMatchObject({ ready: false, remedies: [expect.stringContaining("npm ci")] });
});

test.each([
  ["doctor who", /Expected no arguments but --json, got "who"/],
  ["doctor --jsn", /Unknown flag "--jsn"\. Did you mean "--json"\?/],
])("%s is misuse", async (line, message) => {
  const { exitCode, output, error } = await runCommand(line.split(" "), directory);
  expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
  expect(error).toMatch(message);
});

test("its help", async () => {
  const { exitCode, output } = await runCommand(["help", "doctor"], directory);
  expect(exitCode).toBe(0);
  for (const row of output.split("\n")) expect(row).toMatch(/^(.{0,99}\S)?$/);
  for (const { name } of PROGRAMS) expect(output).toContain(name);
});
