import type { ConfigTree, RunEvent, TopologyDrawn } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunRecord } from "../record.ts";
import { anyRecord } from "../test/anyRecord.ts";
import { drawnFigures, strayPoints } from "../test/figurePoints.ts";
import { sampleRun } from "../test/sampleRun.ts";
import { malformation } from "../test/wellFormed.ts";
import { renderReport } from "./report.ts";

const empty: RunRecord = { config: {}, events: [], summary: null, truncated: false };

describe("whatever the run", () => {
  test("the page is well-formed", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        expect(malformation(renderReport(record))).toBeNull();
      }),
    );
  });

  test("every point lies inside its plot", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        expect(strayPoints(renderReport(record))).toEqual([]);
      }),
    );
  });

  test("the points that are checked are there", () => {
    const counts = drawnFigures(renderReport(sampleRun())).map(({ points }) => points.length);
    expect(counts).toHaveLength(15);
    for (const count of counts) expect(count).toBeGreaterThan(3);
  });

  test("losing events from the end or in between leaves a page", () => {
    fc.assert(
      fc.property(anyRecord, fc.infiniteStream(fc.boolean()), (record, keep) => {
        const events = record.events.filter(() => keep.next().value);
        expect(malformation(renderReport({ ...record, events }))).toBeNull();
      }),
    );
  });

  test("nothing is loaded from anywhere", () => {
    const page = renderReport(sampleRun());
    expect(page).not.toMatch(/\b(?:src|href|srcset|action)=/);
    expect(page).not.toMatch(/@import|url\((?!#)/);
    expect(page).toContain("default-src &#39;none&#39;");
  });

  test("the same record gives the same page", () => {
    expect(renderReport(sampleRun({ seed: 7 }))).toBe(renderReport(sampleRun({ seed: 7 })));
  });
});

/** Headings, tables and figures in order: what the page is made of, without its numbers. */
const structure = (page: string): readonly string[] =>
  [
    ...page.matchAll(
      /<h2>(.*?)<\/h2>|<(figcaption|caption)>|class="(panel (?:linear|log|both)|network|bar|nothing)/g,
    ),
  ].map(([, heading, caption, mark]) => heading ?? caption ?? mark ?? "");

test("the parts of a three-node run", () => {
  expect(structure(renderReport(sampleRun()))).toMatchInlineSnapshot(`
    [
      "Loss",
      "panel linear",
      "panel log",
      "panel linear",
      "panel log",
      "panel linear",
      "panel log",
      "panel both",
      "figcaption",
      "Time",
      "bar",
      "bar",
      "bar",
      "figcaption",
      "caption",
      "Timeline",
      "figcaption",
      "figcaption",
      "figcaption",
      "figcaption",
      "Network",
      "network",
      "figcaption",
      "caption",
      "Link utilisation",
      "figcaption",
      "figcaption",
      "caption",
      "Collectives",
      "caption",
      "Evaluation",
      "caption",
      "Configuration",
      "Reproduce",
    ]
  `);
});

test("a bar a node up to 24 nodes, a profile beyond; both show every node or say that they do not", () => {
  const bars = (nodes: number): number =>
    structure(renderReport(sampleRun({ nodes, steps: 20 }))).filter((part) => part === "bar").length;
  expect([bars(1), bars(16), bars(24), bars(25)]).toEqual([1, 16, 24, 0]);
  const page = renderReport(sampleRun({ nodes: 1000, steps: 2, H: 1 }));
  expect(page).toContain("of which 512 at equal distances in this order are drawn");
  expect(page).toContain("these are drawn again from the config and the seed");
});

test("a hundred thousand steps stay under 2 MB and keep the spike", () => {
  const record = sampleRun({
    steps: 100_000,
    H: 500,
    valInterval: 50,
    bend: (value, step) => (step === 54_321 ? 1234.567 : value),
  });
  const page = renderReport(record);
  expect(Buffer.byteLength(page)).toBeLessThan(2e6);
  expect(page).toContain("step 54,321\\ntraining loss 1234.567");
});

describe("what is not there is said", () => {
  test.each([
    [
      "no events",
      empty,
      ["No step was finished", "The run recorded no network", "The run recorded no config"],
    ],
    ["one node", sampleRun({ nodes: 1 }), ["No bytes were sent", "A single node has nobody to send to"]],
    ["no evaluation", sampleRun({ steps: 0 }), ["The run was not evaluated"]],
    [
      "no end",
      sampleRun({ outcome: "unfinished" }),
      ["the events stop without an end", "recorded no node times"],
    ],
    ["a cut log", { ...sampleRun(), truncated: true }, ["The last line of events.jsonl was cut off"]],
  ])("%s", (_, record, sentences) => {
    const page = renderReport(record);
    for (const sentence of sentences) expect(page).toContain(sentence);
  });

  test("losses that are not finite are counted, marked and worded", () => {
    const page = renderReport(
      sampleRun({ steps: 50, bend: (value, step) => (step > 40 ? Number.NaN : value) }),
    );
    expect(page).toContain("not finite (NaN or infinite) at 10 of 50 steps, first at step 41");
    expect(page).toContain('class="gap"');
    expect(page).toContain("training loss not finite");
    expect(page).toMatch(
      /class="outcome diverged"><span class="badge">diverged<\/span> 50 of 50 steps\. From step 41 on/,
    );
  });

  test("a point that no other is next to is a dot, on a line it is none", () => {
    const dotsOf = (page: string): readonly string[] =>
      [...page.matchAll(/<path class="line lone training" d="([^"]+)"/g)].map(([, d]) => d!);
    const single = dotsOf(renderReport(sampleRun({ steps: 1, valInterval: 0 })));
    expect(single.length).toBeGreaterThan(0);
    for (const d of single) expect(d).toMatch(/^M(\S+)L\1$/);
    const between = sampleRun({
      steps: 9,
      bend: (loss, step) => (step === 5 || step < 3 ? loss : Number.NaN),
    });
    expect(dotsOf(renderReport(between)).length).toBeGreaterThan(0);
    expect(dotsOf(renderReport(sampleRun({ steps: 9 })))).toEqual([]);
  });

  test("a failure shows its message", () => {
    const message = "Step 87: the loss is <NaN> & more.";
    expect(renderReport(sampleRun({ outcome: "failed", message }))).toContain(
      "the loss is &lt;NaN&gt; &amp; more.",
    );
  });
});

test("a link without a limit is unlimited, in the drawing and in the tables", () => {
  const record = sampleRun({ nodes: 16 });
  const events = record.events.map(
    (event): RunEvent => (event.type === "topology" ? unlimited(event) : event),
  );
  const page = renderReport({ ...record, events });
  expect(page).toContain("unlimited");
  expect(page).not.toMatch(/NaN(?! or infinite)/);
});

const unlimited = (topology: TopologyDrawn): TopologyDrawn => ({
  ...topology,
  links: topology.links.map((link, i) =>
    i % 3 === 0 ? { ...link, bandwidth: Number.POSITIVE_INFINITY } : link,
  ),
});

test("the command is quoted for a shell, the config is listed by dotted paths, long values are cut", () => {
  const durations = Array.from({ length: 2000 }, (_, i) => i / 1000);
  const command = ["npx", "atoll", "train", "digits", "name=it's me"];
  const page = renderReport(sampleRun({ config: { command, compute: { durations } } }));
  expect(page).toContain("npx atoll train digits &#39;name=it&#39;\\&#39;&#39;s me&#39;");
  expect(page).toContain('<th scope="row">strategy.H</th><td>20</td>');
  expect(page).toContain("config.json has it whole");
});

test("a network that changes says how: traces, background traffic; one that does not says nothing", () => {
  const trace = {
    name: "<up>.csv",
    rows: 5,
    length: 4,
    least: 2e5,
    mean: 1.5e6,
    most: 3e6,
    repeat: true,
    shift: true,
  };
  const { events, ...record } = sampleRun();
  const changing = (network: ConfigTree): string => {
    const own = events.map((event) =>
      event.type === "runStarted" ? { ...event, config: { ...event.config, network } } : event,
    );
    return renderReport({ ...record, events: own });
  };
  const page = changing({ trace, background: { load: 0.3, interval: 2 } });
  expect(page).toContain(
    "Links follow the bandwidth trace &lt;up&gt;.csv of 4 s in 5 rows (least 200 kB/s, mean 1.50 MB/s, most 3 MB/s), over and over, each from a moment of its own. Bandwidths listed here are means over the trace. Background traffic takes 30 % of each direction of a link on average, drawn anew every 2 s;",
  );
  const links = [{ from: 0, to: 1, trace: { ...trace, repeat: false, shift: false } }];
  const islands = changing({ between: { trace }, links });
  expect(islands).toContain("Links between islands follow the bandwidth trace");
  expect(islands).toContain("The link from node 0 to node 1 follows the bandwidth trace");
  expect(changing({})).not.toMatch(/bandwidth trace|Background traffic/);
});

test.each<[string, ConfigTree, string, string]>([
  ["ring", {}, "Ring, 3 nodes: profile wan.", "ring, wan"],
  [
    "islands",
    { islandSize: 2, between: { profile: "mobile" } },
    "Islands of 2, 3 nodes: profile wan inside, mobile between.",
    "islands of 2, wan inside, mobile between",
  ],
  ["islands", {}, "Islands, 3 nodes: profile wan.", "islands, wan"],
])("the network is named, of islands also what lies between them: %s %j", (topology, network, said, row) => {
  const { events, ...record } = sampleRun();
  const own = events.map((event): RunEvent => {
    if (event.type === "runStarted") return { ...event, config: { ...event.config, network } };
    return event.type === "topology" ? { ...event, topology, profile: "wan" } : event;
  });
  const page = renderReport({ ...record, events: own });
  expect(page).toContain(`<p>${said}</p>`);
  expect(page).toContain(`<dt>Network</dt><dd>${row}</dd>`);
});

test.each<[ConfigTree, string | null]>([
  [
    {
      tcp: "cm02",
      window: 4_194_304,
      congestion: "none",
      flows: 1,
      slowStart: false,
      rttWeights: false,
      nic: 1e8,
    },
    "TCP: one connection between two nodes with a window of 4.19 MB, no congestion control, no slow start (network.tcp=cm02). A node sends, and receives, at most 100 MB/s over all its links.",
  ],
  [
    {
      tcp: "rounds",
      window: 1e6,
      congestion: "cubic",
      flows: 4,
      slowStart: true,
      rttWeights: true,
      nic: { up: 5e6, down: 2e7 },
    },
    "TCP: 4 connections between two nodes with a window of 1 MB, CUBIC’s congestion control, slow start, capacities shared in proportion to 1 / round-trip time (network.tcp=rounds). A node sends at most 5 MB/s and receives at most 20 MB/s over all its links.",
  ],
  [{ tcp: "none", window: null }, "No TCP model: a transfer has the bandwidth of its path."],
  [{}, null],
])("what limits a transfer is said: %#", (network, expected) => {
  const { events, ...record } = sampleRun();
  const own = events.map((event) =>
    event.type === "runStarted" ? { ...event, config: { ...event.config, network } } : event,
  );
  const page = renderReport({ ...record, events: own });
  if (expected === null) expect(page).not.toMatch(/TCP|A node sends/);
  else expect(page).toContain(expected);
});

test("points and edges are one row of the configuration, as on the command line", () => {
  const config = {
    options: {
      network: {
        edges: [
          [0, 1],
          [1, 2],
        ],
      },
    },
  };
  expect(renderReport(sampleRun({ config }))).toContain(
    '<tr><th scope="row">network.edges</th><td>[[0,1],[1,2]]</td></tr>',
  );
});

test("a run that failed between two evaluations has come as far as its steps say", () => {
  const record = sampleRun({ outcome: "failed", message: "No memory." });
  const events = record.events.map((event) =>
    event.type === "runFinished" ? { ...event, steps: 0, simulatedSeconds: 0 } : event,
  );
  const page = renderReport({ ...record, events });
  expect(page).toContain("After 300 of 300 steps: No memory.");
  expect(page).not.toContain('<span class="value">0 s</span>');
});

/** The same run on processes. */
const onProcesses = (record: RunRecord, shaping: "none" | "userSpace"): RunRecord => ({
  ...record,
  events: record.events.map((event) =>
    event.type === "runStarted"
      ? { ...event, config: { ...event.config, mode: "processes", shaping } }
      : event,
  ),
});

test("a page of processes tells of no simulated time, and of simulated links only if they were imposed", () => {
  const free = renderReport(onProcesses(sampleRun(), "none"));
  expect(free).not.toMatch(/simulated time/i);
  expect(free).toContain("ring, real sockets");
  expect(free).toContain("Real: 3 processes and their own sockets");
  expect(free).not.toContain(">Bandwidth<");
  expect(free).not.toContain(">Utilisation<");

  const shaped = renderReport(onProcesses(sampleRun(), "userSpace"));
  expect(shaped).not.toMatch(/simulated time/i);
  expect(shaped).toContain("ring, wan");
  expect(shaped).toContain(">Utilisation<");
});
