// What a run does about single faults, told exactly: when nodes go on, with whom, from where, and with which numbers.

import type { FaultHappened } from "@atoll/core";
import { sgd } from "@atoll/tensor";
import { describe, expect, test } from "vitest";
import { ddp, diLoCo, fedAvg, type ParameterStrategy, type Strategy, sgp } from "../strategies/index.ts";
import {
  memoryStore,
  numbersOf,
  type Rehearsal,
  type RehearsalOptions,
  rehearse,
  stepsOf,
} from "../test/runs.ts";
import { strategyRows } from "../test/strategyRows.ts";

const plainSgd = (): { readonly optimizer: ReturnType<typeof sgd> } => ({
  optimizer: sgd({ learningRate: 0.1 }),
});
/** Ten steps of exactly a tenth of a second, over links that take no time that matters. */
const steady: Omit<RehearsalOptions, "strategy"> = {
  nodes: 4,
  maxSteps: 10,
  compute: { kind: "measured", durations: [0.1] },
  network: { bandwidth: 1e12, latency: 1e-9, jitter: 0, loss: 0 },
};
const told = ({ events }: Rehearsal): readonly FaultHappened[] =>
  events.filter((event) => event.type === "fault");
const parametersOf = ({ snapshots }: Rehearsal, step: number): readonly unknown[] =>
  snapshots.get(step)!.nodes.map((saved) => {
    const all = Object.entries(saved.tensors()).filter(([name]) => name.startsWith("parameters"));
    expect(all.length).toBeGreaterThan(0);
    return all.map(([name, { data }]) => [name, ...data]);
  });

test.each(strategyRows.map(({ name, create }) => [name, create] as const))(
  "%s: a run that could meet faults and meets none is the run without them",
  async (_, create) => {
    const options = { ...steady, strategy: create(), nodes: 3 };
    const faults = { schedule: [{ kind: "crash", node: 1, at: 1e6, rejoin: 2e6 } as const] };
    const [met, unmet] = [await rehearse({ ...options, faults }), await rehearse(options)];
    // Where nodes may fail, waiting is what is left of a node's time: another rounding.
    const exceptWaiting = ({ result, ...rest }: Rehearsal): unknown =>
      numbersOf({
        ...rest,
        result: { ...result, nodes: result.nodes.map((own) => ({ ...own, waiting: 0 })) },
      });
    expect(exceptWaiting(met)).toEqual(exceptWaiting(unmet));
    met.result.nodes.forEach(({ waiting }, rank) => {
      expect(waiting).toBeCloseTo(unmet.result.nodes[rank]!.waiting, 12);
    });
  },
);

test("a straggler's steps take as many times as long, and the others wait for it", async () => {
  const schedule = [{ kind: "straggler", node: 2, slowdown: 3, from: 0.35, until: 0.9 } as const];
  const { result } = await rehearse({ ...steady, strategy: ddp(plainSgd()), faults: { schedule } });
  // Steps that begin at 0.4 s and at 0.7 s take 0.3 s; by 1 s it is over.
  expect(result.simulatedSeconds).toBeCloseTo(1 + 2 * 0.2, 6);
  expect(result.nodes[2]!.compute).toBeCloseTo(1.4, 6);
  expect(result.nodes[0]!.compute).toBeCloseTo(1, 6);
  expect(result.nodes[0]!.waiting).toBeCloseTo(0.4, 6);
});

test("slow nodes and links that are down are told once, with when that is over", async () => {
  const schedule = [
    { kind: "straggler", node: 2, slowdown: 3, from: 0.35, until: 0.95 },
    // No step begins in it.
    { kind: "straggler", node: 1, slowdown: 3, from: 0.12, until: 0.13 },
    { kind: "linkDown", nodes: [0, 3], from: 0.25, until: 0.45 },
    { kind: "partition", groups: [[1, 2, 3]], from: 0.55, until: 0.58 },
    { kind: "linkDown", nodes: [1, 2], from: 99 },
  ] as const;
  const options = { ...steady, strategy: ddp(plainSgd()), checkpointInterval: 1, faults: { schedule } };
  const run = await rehearse(options);
  const slow = told(run).map(({ kind, time, ranks, until, message }) => [kind, time, ranks, until, message]);
  expect(slow).toEqual([
    ["outage", 0.25, [0, 3], 0.45, "The link between nodes 0 and 3 is down until 450 ms."],
    ["straggler", 0.35, [2], 0.95, "Node 2 is slow until 950 ms: steps take 3 times as long."],
    ["outage", 0.55, [0], 0.58, "The network falls apart into node 0 | nodes 1, 2, 3 until 580 ms."],
  ]);
  for (const [step, resume] of run.snapshots) {
    if (step === steady.maxSteps) continue;
    const cut = run.events.findIndex((event) => event.type === "checkpoint" && event.step === step);
    const resumed = await rehearse({ ...options, resume });
    expect(told(resumed), `resumed at ${step}`).toEqual(
      run.events.slice(cut).filter(({ type }) => type === "fault"),
    );
  }
});

test("a node crashes at any moment of an exchange: where it had done its part, that is brought to its end", async () => {
  // By a slow link the members of the ring are done at different times.
  const network = {
    ...steady.network,
    bandwidth: 1e9,
    latency: 0.01,
    links: [{ from: 2, to: 0, latency: 0.2 }],
  };
  const moments = Array.from({ length: 40 }, (_, i) => 0.1 + i / 40);
  const undisturbed = { ...steady, nodes: 3, maxSteps: 3, checkpointInterval: 3, network };
  const model = parametersOf(await rehearse({ ...undisturbed, strategy: ddp(plainSgd()) }), 3);
  for (const node of [0, 1, 2])
    for (const at of moments) {
      const schedule = [{ kind: "crash", node, at, rejoin: 2 } as const];
      const options = { ...undisturbed, strategy: ddp(plainSgd()) };
      const rehearsal = await rehearse({ ...options, faults: { schedule } });
      expect(parametersOf(rehearsal, 3), `node ${node} at ${at} s`).toEqual(model);
      expect(stepsOf(rehearsal.events), `node ${node} at ${at} s`).toHaveLength(3);
    }
});

describe("a node crashes while it computes", () => {
  const crash = { kind: "crash", node: 1, at: 0.45, rejoin: 2 } as const;
  const run = (strategy: Strategy, whenMissing?: NonNullable<RehearsalOptions["faults"]>["whenMissing"]) =>
    rehearse({
      ...steady,
      strategy,
      checkpointInterval: 10,
      faults: { schedule: [crash], ...(whenMissing === undefined ? {} : { whenMissing }) },
    });

  test("waiting: the others stand still until it is back, and it goes on with their state", async () => {
    const rehearsal = await run(ddp(plainSgd()));
    // Four steps, the fifth when the node is back and has done it, too, and five more.
    expect(rehearsal.result.simulatedSeconds).toBeCloseTo(2 + 0.1 + 0.5, 6);
    expect(told(rehearsal).map(({ kind, ranks }) => [kind, ranks])).toEqual([
      ["crash", [1]],
      ["recovered", [1]],
    ]);
    expect(stepsOf(rehearsal.events).map(({ examples }) => examples / 8)).toEqual([
      4, 8, 12, 16, 20, 24, 28, 32, 36, 40,
    ]);
    const [first, ...others] = parametersOf(rehearsal, 10);
    for (const other of others) expect(other).toEqual(first);
  });

  test.each([
    ["each step's gradients", () => ddp(plainSgd())],
    ["gradients in buckets", () => ddp({ ...plainSgd(), buckets: 3 })],
    ["rounds of four steps", () => fedAvg({ H: 4, ...plainSgd() })],
    ["rounds of four steps and an outer optimizer", () => diLoCo({ H: 4, ...plainSgd() })],
  ])("waiting: the model is that of the run without the crash, %s", async (_, create) => {
    const options = { ...steady, network: { ...steady.network, latency: 0.02 }, checkpointInterval: 10 };
    const model = parametersOf(await rehearse({ ...options, strategy: create() }), 10);
    for (const at of [0.05, 0.11, 0.2, 0.33, 0.45, 0.62, 0.7, 0.85, 1.3]) {
      const schedule = [
        { kind: "crash", node: 1, at, rejoin: at + 0.15 },
        // Who gives its state, and who is doing the round again.
        { kind: "crash", node: 0, at: at + 0.1, rejoin: at + 0.6 },
        { kind: "crash", node: 1, at: at + 0.2, rejoin: at + 0.8 },
      ] as const;
      const faults = { schedule, whenMissing: { kind: "wait" } } as const;
      const rehearsal = await rehearse({ ...options, strategy: create(), faults });
      expect(parametersOf(rehearsal, 10), `at ${at} s`).toEqual(model);
      expect(told(rehearsal).map(({ kind }) => kind)).not.toContain("goneOn");
    }
  });

  test("a timeout: the others go on after it, and do not wait for the same node again", async () => {
    const rehearsal = await run(ddp(plainSgd()), { kind: "timeout", seconds: 0.2 });
    // The fifth step ends 0.2 s late; the node is never back in time.
    expect(rehearsal.result.simulatedSeconds).toBeCloseTo(1.2, 6);
    expect(told(rehearsal).map(({ kind, time }) => [kind, Number(time.toFixed(6))])).toEqual([
      ["crash", 0.45],
      ["goneOn", 0.7],
    ]);
    expect(rehearsal.result.nodes[1]!.compute).toBeCloseTo(0.4, 6);
  });

  test("a quorum: the others go on if enough of them are left, and end the run if never again", async () => {
    const rehearsal = await run(ddp(plainSgd()), { kind: "quorum", fraction: 0.75, seconds: 0 });
    expect(rehearsal.result.simulatedSeconds).toBeCloseTo(1, 6);
    const both = [crash, { kind: "crash", node: 2, at: 0.3, rejoin: 5 } as const];
    const late = await rehearse({
      ...steady,
      strategy: ddp(plainSgd()),
      faults: { schedule: both, whenMissing: { kind: "quorum", fraction: 0.75, seconds: 0 } },
    });
    // Two of four do not make a quorum of three: the fifth step is exchanged when node 1 is back and has done it, too.
    expect(late.result.simulatedSeconds).toBeCloseTo(2 + 0.1 + 0.5, 6);
    expect(stepsOf(late.events).map(({ examples }) => examples / 8)).toEqual([
      3, 6, 9, 12, 15, 18, 21, 24, 27, 30,
    ]);
  });

  const three = { kind: "quorum", fraction: 0.75, seconds: 0 } as const;
  const whoTookPart = ({ events }: Rehearsal): readonly number[] =>
    events.flatMap((event) => (event.type === "collective" ? [event.ranks.length] : []));

  test.each([
    // The fifth step of node 1 begins when it is back; five more follow.
    ["each step's gradients", () => ddp(plainSgd()), 2 + 0.1 + 0.5],
    // It does the whole first round, from its beginning; the second one follows.
    ["rounds of five steps", () => fedAvg({ H: 5, ...plainSgd() }), 2 + 0.5 + 0.5],
  ])("a quorum is one of nodes that have done the round: %s", async (_, strategy, seconds) => {
    const rehearsal = await rehearse({
      ...steady,
      strategy: strategy(),
      checkpointInterval: 10,
      faults: { schedule: [crash, { kind: "crash", node: 2, at: 0.3 }], whenMissing: three },
    });
    expect(rehearsal.result.simulatedSeconds).toBeCloseTo(seconds, 6);
    expect(Math.min(...whoTookPart(rehearsal))).toBe(3);
    const left = parametersOf(rehearsal, 10).filter((_, rank) => rank !== 2);
    for (const own of left) expect(own).toEqual(left[0]);
  });

  test("an exchange that broke off waits for its quorum, too, and takes who comes late", async () => {
    // Of three nodes an all-reduce takes four times 50 ms: node 1 is lost in the middle of the first step's.
    const network = { ...steady.network, latency: 0.05 };
    const schedule = [
      { kind: "crash", node: 2, at: 0.05 },
      { kind: "crash", node: 1, at: 0.2, rejoin: 2 },
    ] as const;
    const rehearsal = await rehearse({
      ...steady,
      network,
      strategy: ddp(plainSgd()),
      checkpointInterval: 10,
      faults: { schedule, whenMissing: three },
    });
    expect(told(rehearsal).map(({ kind, ranks }) => [kind, ranks])).toContainEqual(["recovered", [1]]);
    expect(stepsOf(rehearsal.events)).toHaveLength(10);
    expect(Math.min(...whoTookPart(rehearsal))).toBe(3);
  });

  test("federated rounds are those of who takes part", async () => {
    const rehearsal = await run(fedAvg({ H: 5, ...plainSgd() }), { kind: "timeout", seconds: 0.05 });
    // What the node had computed of the round is lost with it.
    expect(stepsOf(rehearsal.events).map(({ examples }) => examples / 8)).toEqual([
      3, 6, 9, 12, 15, 18, 21, 24, 27, 30,
    ]);
  });
});

test("a message to a node that is down holds up none to others: only that node is lost", async () => {
  const lost: number[][] = [];
  for (let at = 0.1; at < 0.25; at += 0.013) {
    const rehearsal = await rehearse({
      ...steady,
      network: { profile: "wan" },
      compute: { kind: "measured", durations: [0.001] },
      strategy: sgp(),
      faults: {
        schedule: [{ kind: "crash", node: 2, at, rejoin: 100 }],
        whenMissing: { kind: "timeout", seconds: 0.5 },
      },
    });
    expect(rehearsal.result.simulatedSeconds).toBeLessThan(10);
    lost.push(told(rehearsal).flatMap(({ kind, ranks }) => (kind === "goneOn" ? ranks : [])));
  }
  expect(lost.flat().length).toBeGreaterThan(0);
  for (const ranks of lost) expect(new Set([2, ...ranks])).toEqual(new Set([2]));
});

test("who waits for a message to arrive learns of the receiver's crash when it happens", async () => {
  const waiting: Strategy = {
    ...(diLoCo({ H: 1, ...plainSgd() }) as ParameterStrategy),
    whenMissing: { kind: "timeout", seconds: 1 },
    async synchronise({ communicator, parameters }) {
      const { rank, worldSize } = communicator;
      if (worldSize < 4) return;
      await Promise.all([
        communicator.send(parameters, (rank + 1) % worldSize),
        communicator.recv((rank + worldSize - 1) % worldSize),
      ]);
    },
  };
  for (const rejoin of [0.5, 100, undefined]) {
    const rehearsal = await rehearse({
      ...steady,
      network: { ...steady.network, latency: 0.2 },
      strategy: waiting,
      faults: {
        schedule: [{ kind: "crash", node: 2, at: 0.35, ...(rejoin === undefined ? {} : { rejoin }) }],
      },
    });
    const crashes = told(rehearsal).filter(({ kind }) => kind === "crash");
    expect(crashes.map(({ time }) => time)).toEqual([0.35]);
    for (const event of rehearsal.events)
      if (event.type === "waited") expect([event.ready, event.end].every(Number.isFinite)).toBe(true);
  }
});

describe("a run that stops in mid-round, to be evaluated or saved, gives who is back what it would be given anyway", () => {
  const schedule = [{ kind: "crash", node: 2, at: 0.9, rejoin: 1.05 } as const];
  test.each<readonly [string, Strategy, NonNullable<RehearsalOptions["faults"]>]>([
    ["a timeout", diLoCo({ H: 20 }), {}],
    ["half of the nodes", fedAvg({ H: 20 }), {}],
    ["waiting", diLoCo({ H: 20 }), { whenMissing: { kind: "wait" } }],
    ["a quorum of all", fedAvg({ H: 20 }), { whenMissing: { kind: "quorum", fraction: 1, seconds: 1 } }],
  ])("%s", async (_, strategy, faults) => {
    const run: RehearsalOptions = {
      strategy,
      nodes: 3,
      maxSteps: 40,
      network: { profile: "wan" },
      compute: { kind: "measured", durations: [0.1], speeds: [1, 1, 0.5] },
      faults: { schedule, ...faults },
    };
    const end = ({ result, events }: Rehearsal): unknown => {
      const { loss, time } = stepsOf(events).at(-1)!;
      return { ...result, wallSeconds: 0, loss, time };
    };
    const unbroken = await rehearse(run);
    expect(told(unbroken).map(({ kind }) => kind)).toContain("recovered");
    const broken = await rehearse({ ...run, checkpointInterval: 5 });
    expect(told(broken)).toEqual(told(unbroken));
    expect(end(broken)).toEqual(end(unbroken));
    for (const [step, resume] of broken.snapshots)
      if (step < 40)
        expect(end(await rehearse({ ...run, resume })), `resumed after step ${step}`).toEqual(end(unbroken));
  });
});

describe("all nodes go back to the last checkpoint", () => {
  const undisturbed = { ...steady, strategy: ddp(plainSgd()), checkpointInterval: 3 };

  test("and do again what was lost: the model is that of an undisturbed run", async () => {
    const expected = await rehearse(undisturbed);
    const faults = {
      schedule: [{ kind: "crash", node: 3, at: 0.75, rejoin: 1.5 } as const],
      recovery: "checkpoint" as const,
    };
    const rehearsal = await rehearse({ ...undisturbed, faults });
    expect(rehearsal.result.parameters).toEqual(expected.result.parameters);
    // Seven steps were done, six were saved: four are left at 1.5 s.
    expect(rehearsal.result.simulatedSeconds).toBeCloseTo(1.5 + 0.4, 6);
    expect(stepsOf(rehearsal.events).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10]);
    expect(told(rehearsal).map(({ kind }) => kind)).toEqual(["crash", "rolledBack"]);
  });

  test("which is the last scheduled one after an interrupt, too", async () => {
    const faults = {
      schedule: [{ kind: "crash", node: 3, at: 0.75, rejoin: 1.5 } as const],
      recovery: "checkpoint" as const,
    };
    const options = { ...undisturbed, faults };
    const unbroken = await rehearse(options);
    const controller = new AbortController();
    const store = memoryStore();
    const emit: RehearsalOptions["emit"] = (event) => {
      if (event.type === "step" && event.step === 4) controller.abort();
    };
    await expect(
      rehearse({ ...options, checkpoints: store, signal: controller.signal, emit }),
    ).rejects.toThrow(/^Interrupted after step [45] of 10\. Last scheduled checkpoint: memory:3\.$/);
    const { result } = await rehearse({ ...options, resume: store.snapshots.get(3)! });
    expect({ ...result, wallSeconds: 0 }).toEqual({ ...unbroken.result, wallSeconds: 0 });
  });

  test("where nobody is left who remembers the run", async () => {
    const schedule = [0, 1, 2, 3].map((node) => ({ kind: "crash", node, at: 0.75, rejoin: 1 }) as const);
    const rehearsal = await rehearse({
      ...undisturbed,
      faults: { schedule, whenMissing: { kind: "timeout", seconds: 0.1 } },
    });
    const expected = await rehearse(undisturbed);
    expect(rehearsal.result.parameters).toEqual(expected.result.parameters);
    expect(rehearsal.result.simulatedSeconds).toBeCloseTo(1 + 0.4, 6);
  });

  test("but not for ever", async () => {
    const churn = { uptime: 0.05, downtime: 0.01 };
    await expect(rehearse({ ...undisturbed, faults: { churn, recovery: "checkpoint" } })).rejects.toThrow(
      /^The run cannot go on: nodes were lost \d+ times since step \d+ was done, by .* s\. Let faults be rarer/,
    );
  });
});

describe("the network falls apart", () => {
  const split = { kind: "partition", groups: [[0]], from: 0.45, until: 0.85 } as const;

  test("waiting: transfers stand still until it is whole again", async () => {
    const { result } = await rehearse({
      ...steady,
      strategy: ddp(plainSgd()),
      faults: { schedule: [split] },
    });
    expect(result.simulatedSeconds).toBeCloseTo(0.85 + 0.5, 6);
  });

  test("a quorum: the larger part goes on, the smaller one comes back to it", async () => {
    const whenMissing = { kind: "quorum", fraction: 0.5, seconds: 0.05 } as const;
    const rehearsal = await rehearse({
      ...steady,
      strategy: ddp(plainSgd()),
      checkpointInterval: 10,
      faults: { schedule: [split], whenMissing },
    });
    const kinds = told(rehearsal).map(({ kind, ranks }) => [kind, ranks]);
    expect(kinds).toEqual([
      ["outage", [0]],
      ["goneOn", [0]],
      ["recovered", [0]],
      ["goneOn", []],
    ]);
    const [first, ...others] = parametersOf(rehearsal, 10);
    for (const other of others) expect(other).toEqual(first);
  });
});

test.each<readonly [Strategy, NonNullable<RehearsalOptions["faults"]>, string]>([
  [ddp(), { schedule: [{ kind: "crash", node: 1, at: 3 }] }, "Give the fault an end (rejoin)"],
  [
    ddp(),
    { schedule: [{ kind: "partition", groups: [[0]], from: 3 }] },
    "a partition into [0], which isolates the star's hub, from 3 s on leaves 1 of 4 nodes connected for good",
  ],
  [
    ddp(),
    { schedule: [{ kind: "partition", groups: [[1, 2, 3]], from: 3 }] },
    "a partition into [1, 2, 3], which isolates the star's hub, from 3 s on leaves 1 of 4 nodes connected for good",
  ],
  [
    fedAvg(),
    {
      schedule: [{ kind: "partition", groups: [[0]], from: 3 }],
      whenMissing: { kind: "quorum", fraction: 0.5, seconds: 1 },
    },
    "under a quorum of 0.5, 2 nodes have to come to each exchange",
  ],
  [ddp(), { whenMissing: { kind: "none" } }, "wait for each other, got none"],
  [
    ddp(),
    { whenMissing: { kind: "timeout", seconds: -1 } },
    '"faults.whenMissing.seconds": expected seconds of at least 0',
  ],
  [
    fedAvg(),
    { recovery: "checkpoint" },
    'Option "faults.recovery": "checkpoint" makes all nodes go back, which goes with faults.whenMissing=wait only, got quorum',
  ],
  [sgp({ overlap: 1 }), { whenMissing: { kind: "wait" } }, "a crash ends the run"],
  [
    sgp({ overlap: 1 }),
    { schedule: [{ kind: "linkDown", nodes: [0, 1], from: 3 }] },
    "leaves 3 of 4 nodes connected for good, but nodes cannot go on without each other: with overlap above 0",
  ],
  [
    ddp(),
    {
      schedule: [
        { kind: "linkDown", nodes: [0, 1], from: 0.2, until: 0.3 },
        { kind: "linkDown", nodes: [3, 1], from: 0.2, until: 0.3 },
      ],
    },
    'Option "faults.schedule[1].nodes": nodes 3 and 1 share no link in the topology star that could be down. ' +
      "Name two nodes that do: node 3 has links to node 0, node 1 to node 0.",
  ],
])("refuses what cannot be: %#", async (strategy, faults, message) => {
  const network = { topology: "star" } as const;
  await expect(rehearse({ ...steady, strategy, faults, network })).rejects.toThrow(message);
});

test("what lasts is not confused with what only happens to be away when it begins", async () => {
  const faults = {
    schedule: [
      { kind: "crash", node: 1, at: 0.2, rejoin: 0.5 },
      { kind: "crash", node: 2, at: 0.2, rejoin: 0.5 },
      { kind: "linkDown", nodes: [0, 3], from: 0.3 },
    ],
    whenMissing: { kind: "wait" },
  } as const;
  const { events } = await rehearse({ ...steady, strategy: fedAvg({ H: 1 }), faults });
  expect(stepsOf(events).at(-1)!.step).toBe(steady.maxSteps);
});

test("a run whose strategy cannot go on without a node ends with the reason", async () => {
  const strategy = sgp({ overlap: 1 });
  const faults = { schedule: [{ kind: "crash", node: 1, at: 0.45, rejoin: 2 } as const] };
  await expect(rehearse({ ...steady, strategy, faults })).rejects.toThrow(
    "Node 1 crashed at 450 ms, and the other nodes cannot go on without it: with overlap above 0",
  );
});

test("a run that loses all its nodes for good ends with the reason", async () => {
  const schedule = [0, 1, 2, 3].map((node) => ({ kind: "crash", node, at: 0.45 }) as const);
  const faults = { schedule, whenMissing: { kind: "timeout", seconds: 1 } as const };
  await expect(rehearse({ ...steady, strategy: fedAvg({ H: 1 }), faults })).rejects.toThrow(
    "all 4 nodes have crashed, and none rejoins",
  );
});
