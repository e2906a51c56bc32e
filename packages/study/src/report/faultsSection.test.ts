import type { ConfigTree, RunEvent } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { interpretRun } from "../run.ts";
import { churn, faultyRun } from "../test/faultyRun.ts";
import { drawnFigures } from "../test/figurePoints.ts";
import { sampleRun } from "../test/sampleRun.ts";
import { faultNotes } from "./faultNotes.ts";
import { renderReport } from "./report.ts";

const sectionOf = (page: string): string => /<section id="faults">[\s\S]*?<\/section>/.exec(page)?.[0] ?? "";
const textOf = (markup: string): string => markup.replace(/<[^>]*>/g, " ");

test("a run without faults has no section, table row or fact of them", () => {
  expect(renderReport(sampleRun())).not.toMatch(/<h2>Faults|<dt>Faults/);
});

test("a run that was to meet faults and met none says both", () => {
  const section = sectionOf(renderReport(faultyRun({ rate: 0 })));
  expect(section).toContain("Each node crashes at random");
  expect(section).toContain("No node crashed or was left behind.");
  expect(section).not.toContain("<svg");
});

test("a log of which only the faults are left still has its section", () => {
  const { events, ...record } = faultyRun({ faultConfig: null });
  const faults = events.filter((event) => event.type === "fault");
  const section = sectionOf(renderReport({ ...record, events: faults }));
  expect(section).toContain("<svg");
  expect(section).not.toMatch(/NaN|undefined|Infinity/);
});

test("what was set is told in words", () => {
  const schedule = [
    { kind: "crash", node: 1, at: 90, rejoin: 120 },
    { kind: "crash", node: 2, at: 90 },
    { kind: "straggler", node: 0, slowdown: 2.5 },
    { kind: "linkDown", nodes: [0, 3], from: 2, until: 3 },
    { kind: "partition", groups: [[0]], from: 1 },
    {
      kind: "partition",
      groups: [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [10, 11],
      ],
      from: 1,
      until: 2,
    },
  ];
  expect(
    faultNotes({
      schedule,
      churn: { uptime: 3600, downtime: 60 },
      stragglers: { probability: 0.25, slowdown: 4 },
      whenMissing: { kind: "timeout", seconds: 30 },
      recovery: "peer",
    }),
  ).toMatchInlineSnapshot(`
    [
      "On schedule: node 1 crashes at 90 s and is up again at 2 min 0 s; node 2 crashes at 90 s for good; node 0 is 2.5 times slower from 0 s on; the link between nodes 0 and 3 is down from 2 s to 3 s; a partition parts node 0 from the others from 1 s on; a partition parts nodes 0, 1, 2, 3, 4, 5, 6, 7 and 2 more from nodes 10, 11 from 1 s to 2 s.",
      "Each node crashes at random, after 1 h 0 min on average, and is down for 60 s on average.",
      "In each interval of 1 s a node is 4 times slower with a probability of 25 %.",
      "When nodes are missing, the others go on 30 s after half of the nodes that run have come to an exchange.",
      "A node that was lost goes on with a copy of another node’s state.",
    ]
  `);
  const policies: readonly ConfigTree[] = [
    { kind: "wait" },
    { kind: "quorum", fraction: 0.5, seconds: 30 },
    { kind: "none" },
    { kind: "stop", reason: "it averages in pairs" },
  ];
  expect(
    policies.map((whenMissing) => faultNotes({ whenMissing, recovery: "checkpoint" })),
  ).toMatchInlineSnapshot(`
    [
      [
        "No fault was set to happen.",
        "When nodes are missing, the others wait for them.",
        "When a node that crashed is up again, all nodes go back to the last checkpoint.",
      ],
      [
        "No fault was set to happen.",
        "When nodes are missing, the others go on 30 s after 50 % of all nodes have come to an exchange, and never with fewer.",
        "When a node that crashed is up again, all nodes go back to the last checkpoint.",
      ],
      [
        "No fault was set to happen.",
        "Nodes do not wait for each other, so the others go on when some are missing.",
        "When a node that crashed is up again, all nodes go back to the last checkpoint.",
      ],
      [
        "No fault was set to happen.",
        "A crash ends the run: it averages in pairs.",
      ],
    ]
  `);
  const many = Array.from({ length: 5000 }, (_, node) => ({ kind: "crash", node, at: 1 }));
  expect(faultNotes({ schedule: many })[0]).toMatch(/; and 4,992 more\.$/);
});

test("options that this version does not know leave sentences", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...Object.keys(churn), "schedule"), fc.jsonValue()),
      (options) => {
        for (const note of faultNotes(options as ConfigTree)) expect(note).toMatch(/\.$/);
      },
    ),
  );
});

test("the table has the first faults, and counts the rest", () => {
  const { events, ...record } = faultyRun({ nodes: 8, steps: 400, rate: 0.5, words: " word".repeat(100) });
  const section = sectionOf(renderReport({ ...record, events }));
  const faults = events.filter((event) => event.type === "fault");
  expect(section.match(/<tr><td/g)).toHaveLength(20);
  expect(section).toContain(`The first 20 faults. ${faults.length - 20} more are in events.jsonl: `);
  expect(section).toContain(" word wo…");
});

test("slow nodes and links that are down are drawn and told, and take no other fault's place in the table", () => {
  const { events, ...record } = faultyRun({ nodes: 40, steps: 100, rate: 0.05 });
  const slow = Array.from({ length: 300 }, (_, i): RunEvent => {
    const kind = i % 2 === 0 ? "straggler" : "outage";
    const message = `${kind} number ${i}.`;
    return { type: "fault", kind, time: i / 100, ranks: [i % 40], message, until: i / 100 + 1 };
  });
  const section = sectionOf(renderReport({ ...record, events: [...events, ...slow] }));
  const others = events.filter((event) => event.type === "fault").slice(0, 20);
  expect(others.length).toBeGreaterThan(0);
  expect(textOf(section)).toContain(
    others.length < 20
      ? `All faults but for slow nodes and outages, and the first ${20 - others.length} of these. ${300 - (20 - others.length)} more are in events.jsonl`
      : "The first 20 faults that are neither slow nodes nor outages. ",
  );
  expect(section).toMatch(/<path class="slow"/);
  expect(section).toMatch(/<path class="cut"/);
  // Nobody is absent here: only the nodes' lanes are drawn.
  const onlySlow = sectionOf(renderReport({ ...record, events: [events[0]!, ...slow] }));
  expect(onlySlow.match(/class="node-lane"/g)).toHaveLength(24);
  expect(onlySlow).not.toContain("nodes absent");
  expect(textOf(onlySlow)).toContain("The first 20 faults. 280 more are in events.jsonl");
  expect(textOf(onlySlow)).toContain(
    "When nodes were slow or short of links: the 24 that were the longest, of 40.",
  );
  expect(textOf(onlySlow)).toContain("No crashes, no recoveries");
});

test("the caption tells of the marks that the figure has, and of no others", () => {
  const { events, ...record } = faultyRun({ nodes: 4, steps: 50, rate: 0 });
  const captionOf = (...kinds: readonly ("crash" | "straggler" | "outage")[]): string => {
    const faults = kinds.map(
      (kind): RunEvent => ({ type: "fault", kind, time: 0, ranks: [1], message: `${kind}.`, until: 1 }),
    );
    const section = sectionOf(renderReport({ ...record, events: [...events, ...faults] }));
    return textOf(/<figcaption>[\s\S]*?<\/figcaption>/.exec(section)![0]);
  };
  expect(captionOf("crash")).toMatch(/When each node was absent\. A node is down .* Shorter times/);
  expect(captionOf("crash")).not.toMatch(/thin bar/);
  expect(captionOf("straggler")).toMatch(
    /When each node was slow\. Shorter .* bottom of a lane: the node was slow\./,
  );
  expect(captionOf("straggler")).not.toMatch(/crash|at the top/);
  expect(captionOf("outage")).toMatch(/When each node was short of links\. Shorter .* at the top: links/);
  expect(captionOf("crash", "straggler", "outage")).toMatch(
    /absent, slow or short of links\. A node is down/,
  );
});

test("a partition that names not all nodes parts them from the others, too", () => {
  const faults: ConfigTree = { schedule: [{ kind: "partition", groups: [[0, 1], [2]], from: 1, until: 2 }] };
  expect(faultNotes(faults, 3)[0]).toContain("parts nodes 0, 1 from node 2 from 1 s");
  expect(faultNotes(faults, 4)[0]).toContain("parts nodes 0, 1 from node 2 from the others from 1 s");
});

test("a thousand nodes with thousands of faults are a page that a browser opens at once", () => {
  const record = faultyRun({ nodes: 1000, steps: 3000, H: 100, rate: 1, rollBacks: 0.02 });
  expect(record.events.filter((event) => event.type === "fault").length).toBeGreaterThan(4000);
  const page = renderReport(record);
  const section = sectionOf(page);
  expect(Buffer.byteLength(section)).toBeLessThan(2e5);
  expect(Buffer.byteLength(page)).toBeLessThan(2e6);
  expect(section.match(/class="node-lane"/g)).toHaveLength(24);
  expect(section).toContain("the 24 nodes that were absent the longest");
});

/** The bold line of each panel, without that of the legend. */
const boldPaths = (page: string): readonly string[] =>
  [...page.matchAll(/<path class="line training" d="(M[^,"]+,[^"]+)"/g)].map(([, d]) => d!);

/** Where these lines go on x, in drawing order. */
const boldLines = (page: string): readonly (readonly number[])[] =>
  boldPaths(page).map((d) => [...d.matchAll(/[ML]([^,A-Z]+),/g)].map(([, x]) => Number(x)));

test("lines never run backwards, however often the run does", () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(0.05, 0.5), (seed, rollBacks) => {
      const lines = boldLines(renderReport(faultyRun({ steps: 120, rate: 0.5, rollBacks, seed })));
      expect(lines.length).toBeGreaterThan(0);
      for (const xs of lines) expect(xs).toEqual([...xs].sort((a, b) => a - b));
    }),
    { numRuns: 30 },
  );
});

test("what was undone is a line of its own, with a note; against time the line has a gap there", () => {
  const record = faultyRun({ steps: 100, rate: 0.2, rollBacks: 0.5 });
  const { history } = interpretRun(record);
  expect(history.undone.length).toBeGreaterThan(0);
  const page = renderReport(record);
  expect(page).toContain('class="line undone"');
  expect(page).toContain('class="turn rolledBack"');
  expect(page).toContain("what was undone is dotted");
  const [, , time] = boldPaths(page);
  expect(time!.match(/M/g)!.length).toBeGreaterThan(1);
  expect(drawnFigures(page).every(({ points }) => points.length > 0)).toBe(true);
});

test("evaluations that were undone are in no table, and the caption says so", () => {
  const record = faultyRun({ steps: 200, valInterval: 5, rate: 0.3, rollBacks: 0.6 });
  const { evaluations, history } = interpretRun(record);
  expect(history.undoneEvaluations).toBeGreaterThan(0);
  const steps = evaluations.filter(({ split }) => split === "validation").map(({ step }) => step);
  expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
  expect(renderReport(record)).toContain("Evaluations that were undone are left out.");
});

test("a warning that a resumed run gives again is shown once", () => {
  const { events, ...record } = sampleRun();
  const warning: RunEvent = { type: "warning", message: "Ring instead of halving-doubling." };
  const page = renderReport({ ...record, events: [warning, ...events, warning] });
  expect(textOf(page).match(/Ring instead of halving-doubling\./g)).toHaveLength(1);
});
