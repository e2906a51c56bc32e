import { expect, test } from "vitest";
import { z } from "zod";
import { mergeConfig, parseAssignments, parseConfig } from "./config.ts";
import { ConfigError } from "./errors.ts";

const choice = (schema: z.ZodType): z.ZodType =>
  z.preprocess((value) => (typeof value === "string" ? { kind: value } : value), schema);

const schema = z.strictObject({
  nodes: z.int().min(1).default(1),
  strategy: choice(
    z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("fedavg"), H: z.int().min(1).default(1) }),
      z.strictObject({
        kind: z.literal("diloco"),
        H: z.int().min(1),
        outer: z.strictObject({ momentum: z.number() }).optional(),
      }),
    ]),
  ).optional(),
  links: z.array(z.strictObject({ from: z.int(), bandwidth: z.number().optional() })).optional(),
  network: z
    .strictObject({
      profile: z.enum(["wan", "mobile"]),
      latency: z.number().optional(),
      nic: z.union([z.number().positive(), z.strictObject({ up: z.number(), down: z.number() })]).optional(),
    })
    .optional(),
  schedule: z
    .array(
      z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("crash"), node: z.int() }),
        z.strictObject({ kind: z.literal("linkDown") }),
      ]),
    )
    .optional(),
});

const read = (line: string): unknown => parseConfig(schema, parseAssignments(line.split(" ")));

test.each([
  [
    "stratgy=fedavg",
    'Unknown option "stratgy". Did you mean "strategy"? Known here: nodes, strategy, links, network, schedule.',
  ],
  [
    "strategy=dilocco",
    'Option "strategy": unknown choice "dilocco". Did you mean "diloco"? Known: diloco, fedavg.',
  ],
  ["strategy=fedavg strategy.h=2", 'Unknown option "strategy.h". Did you mean "strategy.H"? Known here: H.'],
  ["strategy=fedavg strategy.H=0", 'Option "strategy.H": expected a number of at least 1, got 0.'],
  ["nodes=two", 'Option "nodes": expected a number, got "two".'],
  ["nodes=2.5", 'Option "nodes": expected an integer, got 2.5.'],
  [
    "network.profile=wam",
    'Option "network.profile": unknown choice "wam". Did you mean "wan"? Known: mobile, wan.',
  ],
  [
    "network.profile=wan network.latncy=3",
    'Unknown option "network.latncy". Did you mean "network.latency"? Known here: profile, latency, nic.',
  ],
  ["network.profile=wan network.nic.up=1e6", 'Option "network.nic.down": expected a number, got nothing.'],
  [
    "network.profile=wan network.nic.upp=3",
    'Unknown option "network.nic.upp". Did you mean "network.nic.up"? Known here: up, down.',
  ],
  [
    "network.profile=wan network.nic=fast",
    'Option "network.nic": expected a number or an object, got "fast".',
  ],
  ["network.profile=wan network.nic=0", 'Option "network.nic": expected a number above 0, got 0.'],
  [
    "network.profile.size=small",
    'Option "network.profile": expected one of wan, mobile, without options of its own, got network.profile.size. Leave that out.',
  ],
  [
    "network.profile=wan network.profile.size=small network.profile.x=1",
    'Option "network.profile": expected one of wan, mobile, without options of its own, got network.profile.size and network.profile.x. Leave that out.',
  ],
  ["network.profile=[1]", 'Option "network.profile": expected one of wan, mobile, got [1].'],
  ['schedule=[{"node":1}]', 'Option "schedule[0].kind": expected one of crash, linkDown, got nothing.'],
  ['schedule=["crash"]', 'Option "schedule[0]": expected an object, got "crash".'],
  ["strategy=diloco", 'Option "strategy.H": expected a number, got nothing.'],
  [
    "strategy=diloco strategy.H=3 strategy.outer.momentm=1",
    'Unknown option "strategy.outer.momentm". Did you mean "strategy.outer.momentum"? Known here: momentum.',
  ],
  [
    'links=[{"from":0},{"from":1,"bandwith":2}]',
    'Unknown option "links[1].bandwith". Did you mean "links[1].bandwidth"? Known here: from, bandwidth.',
  ],
  [
    "latency=3",
    'Unknown option "latency". Did you mean "network.latency"? Known here: nodes, strategy, links, network, schedule.',
  ],
  [
    "H=3",
    'Unknown option "H". Did you mean "strategy.H"? Known here: nodes, strategy, links, network, schedule.',
  ],
  [
    "network.nodes=3",
    'Unknown option "network.nodes". Did you mean "nodes"? Known here: profile, latency, nic.',
  ],
  ["network.profile=false", 'Option "network.profile": unknown choice "false". Known: mobile, wan.'],
  ["nodes", 'Expected key=value, got "nodes". Example: strategy.H=50.'],
])("%s is refused with the option, what was expected, what came and the nearest name", (line, message) => {
  expect(() => read(line)).toThrow(new ConfigError(message));
});

test("a choice and its options may come in any order", () => {
  const expected = { nodes: 1, strategy: { kind: "diloco", H: 50 } };
  expect(read("strategy=diloco strategy.H=50")).toEqual(expected);
  expect(read("strategy.H=50 strategy=diloco")).toEqual(expected);
});

test("of an option that is given twice the last value holds", () => {
  expect(read("nodes=2 strategy=fedavg strategy.H=2 nodes=3 strategy=diloco strategy.H=4")).toEqual({
    nodes: 3,
    strategy: { kind: "diloco", H: 4 },
  });
});

test("values are read as numbers, booleans, null, JSON or text", () => {
  expect(parseAssignments(["a=1e-3", "b=true", "c=null", "d=[1,2]", "e=1e-3x", "f=x=y", "g=-.5"])).toEqual({
    a: 1e-3,
    b: true,
    c: null,
    d: [1, 2],
    e: "1e-3x",
    f: "x=y",
    g: -0.5,
  });
});

test("merging keeps the options of a choice that stays, and drops those of one that changes", () => {
  const base = { nodes: 3, strategy: { kind: "fedavg", H: 20, islandSize: 2 } };
  expect(mergeConfig(base, parseAssignments(["strategy.H=5"]))).toEqual({
    nodes: 3,
    strategy: { kind: "fedavg", H: 5, islandSize: 2 },
  });
  expect(mergeConfig(base, parseAssignments(["strategy=fedavg"]))).toEqual(base);
  expect(mergeConfig(base, parseAssignments(["strategy=diloco", "strategy.H=7"]))).toEqual({
    nodes: 3,
    strategy: { kind: "diloco", H: 7 },
  });
});
