// Sandboxes on a real engine: nodes that reach each other and only each other, failures, and nothing left behind.

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "@atoll/core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { exec } from "../exec/exec.ts";
import { engineOrSkip, here, onNode, type TestSandboxes, testSandboxes } from "../test/sandboxes.ts";
import { sandboxHost } from "./containerHost.ts";
import { type Engine, findEngine } from "./engine.ts";
import { conditionOf, getSandbox, listSandboxes, type Sandbox } from "./inspect.ts";
import { keysDirectory, sshConfigPath } from "./keys.ts";
import { readLogs } from "./logs.ts";
import { choosePorts } from "./ports.ts";
import { restartSandbox } from "./restart.ts";
import { setUpSandbox } from "./setup.ts";
import { removeSandbox } from "./stop.ts";

/** Images are built and containers started on machines that may have much else to do. */
const LONG = 600_000;
const found = await engineOrSkip("sandboxes in containers");

describe.skipIf(!found)("sandboxes", { timeout: LONG }, () => {
  const engine = found as Engine;
  let tests: TestSandboxes;
  let three: Sandbox;
  beforeAll(async () => {
    tests = await testSandboxes(engine);
    three = await setUpSandbox(engine, tests.options("three", { code: "bake" }));
  }, LONG);
  afterAll(async () => {
    await tests[Symbol.asyncDispose]();
  }, LONG);

  const container = (rank: number, sandbox = three): string => sandbox.nodes[rank]!.container;
  const keys = (): string => keysDirectory(tests.stateDirectory, three.name);

  test("three nodes are healthy, each with an address and a port of its own", () => {
    expect(three.nodes.map(({ rank, state, health }) => ({ rank, state, health }))).toEqual(
      [0, 1, 2].map((rank) => ({ rank, state: "running", health: "healthy" })),
    );
    expect(new Set(three.nodes.map(({ address }) => address)).size).toBe(3);
    const ports = three.nodes.map(({ port }) => port);
    expect(ports).toEqual([ports[0]!, ports[0]! + 1, ports[0]! + 2]);
  });

  test("node 1 reaches node 3 by ssh under each of its names, without a password, as a user who is not root", async () => {
    for (const name of ["node3", "worker2", container(2)])
      expect(await onNode(engine, container(0), `ssh ${name} 'hostname; id -un'`)).toEqual({
        code: 0,
        output: `${container(2)}\natoll`,
      });
    expect(await onNode(engine, container(2), "ssh master hostname")).toEqual({
      code: 0,
      output: container(0),
    });
  });

  test("neither a password, nor another key, nor root is let in, and an unknown host key is refused", async () => {
    const refused = async (flags: string): Promise<void> => {
      const { code, output } = await onNode(engine, container(0), `ssh ${flags} true`);
      expect(code).toBe(255);
      expect(output).toMatch(/Permission denied|Host key verification failed/);
    };
    await refused("-o PubkeyAuthentication=no node2");
    await refused("root@node2");
    await refused("-o UserKnownHostsFile=/dev/null node2");
    const { output } = await onNode(
      engine,
      container(0),
      "ssh-keygen -q -t ed25519 -N '' -f /tmp/other; ssh -F none -i /tmp/other -o UserKnownHostsFile=/run/atoll/ssh/known_hosts -v node2 true 2>&1",
    );
    expect(output).toMatch(/Permission denied \(publickey\)/);
    expect(output).toMatch(/Authentications that can continue: publickey$/m);
  });

  test("the keys are the sandbox's own and only the user's; none is in the image", async () => {
    expect((await stat(join(keys(), "id_ed25519"))).mode & 0o777).toBe(0o600);
    expect((await stat(keys())).mode & 0o777).toBe(0o700);
    const search =
      "find / -xdev \\( -name 'ssh_host_*' -o -name 'id_*' -o -name authorized_keys \\) -size +0 -type f";
    const inImage = await engine.run("look into the image", [
      ...["run", "--rm", "--network", "none", three.image, "bash", "-c", `${search} 2>/dev/null; true`],
    ]);
    expect(inImage).toBe("");
  });

  test("from this machine a node is reached on its port, and only on loopback", async () => {
    const { port } = three.nodes[1]!;
    const listening = (await here("ss", ["-Hltn", `sport = :${port}`])).output;
    expect(listening).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}\\b`));
    expect(listening).not.toMatch(/0\.0\.0\.0:\d|\[::\]:\d|\*:\d/);
    for (const name of [container(1), "node2", "worker1"])
      expect(await here("ssh", ["-F", sshConfigPath(keys()), name, "hostname"])).toEqual({
        code: 0,
        output: container(1),
      });
  });

  test("Atoll runs on a node, and what it makes is seen by all of them", async () => {
    const train = "atoll train digits nodes=2 maxSteps=3 trainSize=200 testSize=20 valSize=0 --name shared";
    expect((await onNode(engine, container(1), train)).code).toBe(0);
    expect(await onNode(engine, container(0), "ls runs")).toEqual({ code: 0, output: "shared" });
  });

  test("a node's user can shape its traffic with tc, and change nothing else of its links", async () => {
    const on = (line: string) => onNode(engine, container(0), line);
    await on("tc qdisc replace dev eth0 root tbf rate 100mbit burst 32kb latency 50ms");
    expect((await on("tc qdisc show dev eth0")).output).toMatch(/tbf .*rate 100Mbit/);
    await on("tc qdisc del dev eth0 root");
    expect((await on("tc qdisc show dev eth0")).output).not.toMatch(/tbf/);
    expect((await on("ip link set dev eth0 mtu 1000")).output).toMatch(/not permitted/);
  });

  test("what a launched command prints is in the node's log; its code and its input are its own", async () => {
    const host = sandboxHost(engine, three.name);
    const containers = await host.containers();
    expect(containers.map(({ hostName }) => hostName)).toEqual(three.nodes.map((node) => node.container));
    const [program, ...argv] = host.execArgv(containers[1]!);
    const script = "read -r word; echo said $word; echo complained >&2; printf '\\036mark\\n' >&2; exit 7";
    const lines: string[] = [];
    const execution = exec(program, [...argv, "sh", "-c", script], {
      environment: process.env,
      input: "held",
      onLines: (batch) => void lines.push(...batch),
    });
    execution.input!.end("hello\n");
    expect(await execution.outcome).toEqual({ kind: "exited", code: 7 });
    expect(lines.toSorted()).toEqual(["\u001emark", "complained", "said hello"]);
    const logged: string[] = [];
    await readLogs(engine, [three.nodes[1]!], {
      follow: false,
      onLines: (_, batch) => logged.push(...batch),
    });
    expect(logged.toSorted()).toEqual(["complained", "said hello"]);
  });

  test("a name or a port that is taken is refused before anything is made", async () => {
    await expect(setUpSandbox(engine, tests.options("three"))).rejects.toThrow(
      /^A sandbox "t\d+-three" with 3 nodes is there already\. Use it, end it with npx atoll sandbox stop --name t\d+-three, or choose another --name\.$/,
    );
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      await expect(setUpSandbox(engine, tests.options("port", { port }))).rejects.toThrow(
        new RegExp(`^Port ${port} is taken: .*--port`),
      );
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect(await getSandbox(engine, three.name)).toEqual(three);
    expect((await tests.leftovers()).filter((name) => name.includes("-port"))).toEqual([]);
  });

  test("of two setups of one name at once one is refused, and the other has its nodes", async () => {
    const twin = tests.options("twin", { nodes: 1, code: "bake" });
    const outcomes = await Promise.allSettled([setUpSandbox(engine, twin), setUpSandbox(engine, twin)]);
    const refused = outcomes.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
    expect(refused.map(({ reason }) => reason.message)).toEqual([
      `A sandbox "${twin.name}" is being set up at this moment. Wait until it is there, or choose another --name.`,
    ]);
    const { nodes } = await getSandbox(engine, twin.name);
    expect(nodes.map(({ health }) => health)).toEqual(["healthy"]);
    const place = { stateDirectory: tests.stateDirectory, volumes: true };
    expect(await removeSandbox(engine, twin.name, place)).toMatchObject({ containers: 1, networks: 1 });
  });

  test("a killed worker and a cut network are seen; restart and reconnect mend them", async () => {
    await engine.run("kill", ["kill", container(2)]);
    expect((await getSandbox(engine, three.name)).nodes.map(({ state }) => state)).toEqual([
      "running",
      "running",
      "exited",
    ]);
    const { port } = three.nodes[2]!;
    await expect(setUpSandbox(engine, tests.options("port", { nodes: 1, port }))).rejects.toThrow(
      `Port ${port} is taken by the sandbox "${three.name}": `,
    );
    await expect(sandboxHost(engine, three.name).containers()).rejects.toThrow(
      /-2 is exited, expected running: npx atoll sandbox restart --name \S+ starts all nodes anew\.$/,
    );
    const restarted = await restartSandbox(engine, three.name);
    expect(restarted.nodes.every(({ health }) => health === "healthy")).toBe(true);
    const network = `atoll-${three.name}`;
    await engine.run("cut", ["network", "disconnect", network, container(2)]);
    const cut = await onNode(engine, container(0), "ssh -o ConnectTimeout=5 node3 true");
    expect(cut.code).toBe(255);
    expect((await getSandbox(engine, three.name)).nodes.map(conditionOf)).toEqual([
      "healthy",
      "healthy",
      "disconnected",
    ]);
    await restartSandbox(engine, three.name);
    expect(await onNode(engine, container(0), "ssh node3 hostname")).toEqual({
      code: 0,
      output: container(2),
    });
  });

  test("five more nodes beside them: other ports, other keys, and no way from one sandbox to the other", async () => {
    const five = await setUpSandbox(engine, tests.options("five", { nodes: 5, code: "mount" }));
    expect(five.nodes.map(({ health }) => health)).toEqual(Array(5).fill("healthy"));
    const ports = [...three.nodes, ...five.nodes].map(({ port }) => port);
    expect(new Set(ports).size).toBe(8);
    const names = (await listSandboxes(engine)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([three.name, five.name]));

    expect(await onNode(engine, container(0, five), "ssh node5 hostname")).toEqual({
      code: 0,
      output: container(4, five),
    });
    expect((await onNode(engine, container(0, five), `getent hosts ${container(0)}`)).code).not.toBe(0);
    const { address } = (await getSandbox(engine, three.name)).nodes[0]!;
    const reach = `timeout 3 bash -c 'exec 3<>/dev/tcp/${address}/22'`;
    expect((await onNode(engine, container(0, five), reach)).code).not.toBe(0);
    const otherKeys = join(keysDirectory(tests.stateDirectory, five.name), "id_ed25519");
    expect(await readFile(otherKeys, "utf8")).not.toBe(await readFile(join(keys(), "id_ed25519"), "utf8"));

    const mounted = await onNode(
      engine,
      container(3, five),
      "touch /atoll/packages/cli/src/x; cat /atoll/packages/cli/package.json",
    );
    expect(mounted.output).toMatch(/Read-only file system/);
    expect(mounted.output).toContain('"name": "@atoll/cli"');

    await removeSandbox(engine, five.name, { stateDirectory: tests.stateDirectory, volumes: true });
    expect((await tests.leftovers()).filter((name) => name.includes("-five"))).toEqual([]);
    expect((await getSandbox(engine, three.name)).nodes.every(({ state }) => state === "running")).toBe(true);
  });

  test("what is interrupted on the way leaves nothing, and neither does what fails", async () => {
    const interrupt = new AbortController();
    const progress = (text: string): void => {
      if (text.startsWith("Waiting")) interrupt.abort();
    };
    await expect(
      setUpSandbox(engine, tests.options("cut", { nodes: 2, progress }), { signal: interrupt.signal }),
    ).rejects.toMatchObject({ exitCode: 130 });
    await expect(setUpSandbox(engine, tests.options("gpu", { nodes: 1, gpus: "all" }))).rejects.toThrow(
      /^Cannot start atoll-\S+-gpu-0: the engine cannot pass GPUs on: .*--gpus/,
    );
    const left = await tests.leftovers();
    expect(left.filter((name) => /-(cut|gpu)(-\w+)?$/.test(name))).toEqual([]);
    expect(existsSync(keysDirectory(tests.stateDirectory, tests.name("cut")))).toBe(false);
  });

  test("a base image that is not there and cannot be pulled, and more nodes than memory allows", async () => {
    await expect(
      setUpSandbox(engine, tests.options("base", { baseImage: "localhost:9/nothing:1" })),
    ).rejects.toThrow(
      /^Cannot build the image \S+: the base image is not on this machine and cannot be pulled: .*--base-image/,
    );
    await expect(setUpSandbox(engine, tests.options("many", { nodes: 1_000_000 }))).rejects.toThrow(
      /^nodes: expected at most \d+, got 1000000: a node needs .* and the engine has /,
    );
  });

  test("after stop nothing is left: no container, network, volume, port or key, wherever that was kept", async () => {
    const { port } = three.nodes[0]!;
    const stateDirectory = join(tests.stateDirectory, "elsewhere");
    const kept = await removeSandbox(engine, three.name, { stateDirectory, volumes: false });
    expect(kept).toMatchObject({ containers: 3, networks: 1, volumes: 0 });
    expect(kept.kept.toSorted()).toEqual([`atoll-${three.name}-cache`, `atoll-${three.name}-runs`]);
    expect(existsSync(keys())).toBe(false);
    await removeSandbox(engine, three.name, { stateDirectory, volumes: true });
    expect((await tests.leftovers()).filter((name) => name.includes("-three"))).toEqual([]);
    expect(await listSandboxes(engine, three.name)).toEqual([]);
    // Free, or another sandbox's by now, which is said when its nodes have been started.
    const freed = async (): Promise<void> => {
      const free = choosePorts(3, { asked: port, sandboxes: await listSandboxes(engine) });
      await free.then(
        (range) => range[Symbol.asyncDispose](),
        (error: unknown) => expect(messageOf(error)).toMatch(/ is taken by the sandbox "/),
      );
    };
    await vi.waitFor(freed, { timeout: 60_000, interval: 200 });
  });
});

test("sandboxes that are made at the same time get ports of their own", async () => {
  const count = 3;
  const ranges = await Promise.all(Array.from({ length: 4 }, () => choosePorts(count, { sandboxes: [] })));
  try {
    const ports = ranges.flatMap(({ first }) => Array.from({ length: count }, (_, i) => first + i));
    expect(new Set(ports).size).toBe(ports.length);
    const [first] = ports;
    if (process.platform === "linux")
      await expect(choosePorts(1, { asked: first, sandboxes: [] })).rejects.toThrow(
        `Port ${first} is taken: `,
      );
  } finally {
    for (const range of ranges) await range[Symbol.asyncDispose]();
  }
});

test("an engine that is not installed or does not run is one sentence with what to do", async () => {
  await expect(findEngine({ exec, environment: { PATH: "/nowhere/bin" } })).rejects.toThrow(
    /^No container engine answers: docker \(not installed\): on Debian and Ubuntu: apt-get install docker\.io; .*\.$/,
  );
  if ((await here("sh", ["-c", "command -v docker"])).code !== 0) return;
  const environment = { ...process.env, DOCKER_HOST: "unix:///nowhere/docker.sock" };
  await expect(findEngine({ exec, environment }, "docker")).rejects.toThrow(
    /^No container engine answers: docker \(ended with code 1: .*docker daemon.*\): start the engine \(.*DOCKER_HOST\.$/,
  );
});

test("an engine that someone may not use is told apart from one that does not run", async (context) => {
  if (found?.name !== "docker" || process.getuid?.() !== 0)
    context.skip("needs docker, and root to be someone else");
  const bin = await mkdtemp(join(tmpdir(), "atoll-bin-"));
  try {
    // Itself, since a link to it may lie where only root comes.
    const { output: docker } = await here("sh", ["-c", 'readlink -f "$(command -v docker)"']);
    const script = `#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/ ${docker} "$@"\n`;
    await writeFile(join(bin, "docker"), script, { mode: 0o755 });
    const environment = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    await expect(findEngine({ exec, environment }, "docker")).rejects.toThrow(
      /^No container engine answers: docker \(ended with code 1: .*permission denied\): you may not use its socket: .*group docker.*as root\.$/,
    );
  } finally {
    await rm(bin, { recursive: true, force: true });
  }
});
