import type { ConfigTree, RunEvent, TopologyDrawn } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunRecord } from "../record.ts";
import { faultyRun } from "../test/faultyRun.ts";
import { drawnFigures } from "../test/figurePoints.ts";
import { type SampleOptions, sampleRun } from "../test/sampleRun.ts";
import { malformation } from "../test/wellFormed.ts";
import { createReport, renderReport } from "./report.ts";

const empty: RunRecord = { config: {}, events: [], summary: null, truncated: false };

/** Losses that training comes to when it goes wrong, beside ordinary ones. */
const loss = fc.oneof(
  { weight: 4, arbitrary: fc.float({ min: 0, max: 20, noNaN: true }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      0,
      -3,
      1e-30,
      3e38,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ),
  },
);

const sampleOptions: fc.Arbitrary<SampleOptions> = fc
  .record({
    name: fc.string({ unit: "binary", maxLength: 200 }),
    nodes: fc.integer({ min: 1, max: 30 }),
    steps: fc.integer({ min: 0, max: 60 }),
    H: fc.integer({ min: 1, max: 20 }),
    topology: fc.constantFrom("ring", "star", "fully_connected"),
    valInterval: fc.integer({ min: 0, max: 20 }),
    accuracy: fc.boolean(),
    outcome: fc.constantFrom("completed", "interrupted", "failed", "unfinished"),
    message: fc.option(fc.string({ unit: "binary" })),
    config: fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<never>),
    seed: fc.nat(),
    losses: fc.array(loss, { minLength: 1, maxLength: 60 }),
  })
  .map(({ losses, ...options }) => ({
    ...options,
    bend: (_: number, step: number) => losses[step % losses.length]!,
  }));

/** Half of the runs meet faults, few or many. */
const sampleRecord: fc.Arbitrary<RunRecord> = fc
  .tuple(sampleOptions, fc.boolean(), fc.constantFrom(0, 0.1, 0.8), fc.constantFrom(0, 0.2, 1))
  .map(([options, isFaulty, rate, rollBacks]) =>
    isFaulty ? faultyRun({ ...options, rate, rollBacks }) : sampleRun(options),
  );

describe("whatever the run", () => {
  test("the page is well-formed", () => {
    fc.assert(
      fc.property(sampleRecord, (record) => {
        expect(malformation(renderReport(record))).toBeNull();
      }),
    );
  });

  test("every point lies inside its plot", () => {
    fc.assert(
      fc.property(sampleRecord, (record) => {
        for (const { box, points } of drawnFigures(renderReport(record))) {
          const [left, top, right, bottom] = box;
          for (const { x, y } of points) {
            expect(x).toBeGreaterThanOrEqual(left - 0.1);
            expect(x).toBeLessThanOrEqual(right + 0.1);
            expect(y).toBeGreaterThanOrEqual(top - 0.1);
            expect(y).toBeLessThanOrEqual(bottom + 0.1);
          }
        }
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
      fc.property(sampleRecord, fc.infiniteStream(fc.boolean()), (record, keep) => {
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

describe("several runs", () => {
  const prices = { nodeHour: 2, gigabyte: 0.1 };
  const severalRecords = fc.array(sampleRecord, { minLength: 2, maxLength: 5 });

  test("the page is well-formed, its points lie inside their plots, its ids and files have names of their own", () => {
    fc.assert(
      fc.property(severalRecords, fc.boolean(), (records, isPriced) => {
        const report = createReport(records, { prices: isPriced ? prices : null });
        expect(malformation(report.page)).toBeNull();
        const outside = drawnFigures(report.page).flatMap(({ box: [left, top, right, bottom], points }) =>
          points.filter(
            ({ x, y }) => !(x >= left - 0.15 && x <= right + 0.15 && y >= top - 0.1 && y <= bottom + 0.1),
          ),
        );
        expect(outside).toEqual([]);
        const ids = [...report.page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
        expect(new Set(ids).size).toBe(ids.length);
        const names = report.files().map(({ name }) => name);
        expect(new Set(names).size).toBe(names.length);
        for (const name of names) expect(name).toMatch(/^[\w.=-]+\.(?:svg|csv)$/);
      }),
      { numRuns: 25 },
    );
  });

  test("every figure is an SVG document of its own with the colours of paper, every table is CSV", () => {
    fc.assert(
      fc.property(severalRecords, (records) => {
        for (const { name, content } of createReport(records, { prices }).files()) {
          if (name.endsWith(".csv")) {
            const rows = parseCsv(content);
            for (const row of rows) expect(row).toHaveLength(rows[0]!.length);
            continue;
          }
          expect(content).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<svg xmlns=/);
          expect(malformation(content.slice(content.indexOf("\n") + 1))).toBeNull();
          expect(content).not.toMatch(/var\(|prefers-color-scheme|NaN/);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("tables hold the numbers themselves, not their texts", () => {
    const files = createReport([sampleRun({ name: 'a, "b"' }), sampleRun({ name: "c", seed: 2 })], {
      prices,
    }).files();
    const [head, first] = parseCsv(files.find(({ name }) => name === "runs.csv")!.content);
    const run = Object.fromEntries(head!.map((column, i) => [column, first![i]]));
    const record = sampleRun({ name: 'a, "b"' });
    const end = record.events.at(-1)!;
    if (end.type !== "runFinished") throw new Error("expected an end");
    const bytes = end.bytesSent.reduce((sum, sent) => sum + sent, 0);
    expect(run).toMatchObject({
      Run: 'a, "b"',
      Nodes: "3",
      "Time (s)": String(end.simulatedSeconds),
      "Sent by all (B)": String(bytes),
      "Cost ($)": String((3 * end.simulatedSeconds * 2) / 3600 + bytes * 1e-10),
    });
  });

  test("forty runs are a page of bounded size: groups by a setting, or the best in colour and the others grey", () => {
    const make = (config: (i: number) => ConfigTree): readonly RunRecord[] =>
      Array.from({ length: 40 }, (_, i) =>
        sampleRun({ name: `run-${i}`, seed: i, steps: 2000, config: config(i) }),
      );
    const grouped = renderReport(
      ...make((i) => ({ options: { strategy: { kind: ["ddp", "diloco"][i % 2]! } } })),
    );
    expect(grouped).toContain("strategy.kind=ddp (20 runs)");
    const others = renderReport(...make((i) => ({ options: { seed: i } })));
    expect(others).toContain("and 34 more");
    expect(others).toContain("Ask for a report of fewer runs to see the 32 others here.");
    for (const page of [grouped, others]) expect(Buffer.byteLength(page)).toBeLessThan(2e6);
  });

  test("settings in which runs differ are apart from those that they share; what cannot be compared is said", () => {
    const records = [
      sampleRun({ name: "a", config: { experiment: "digits", options: { nodes: 3, H: 10 } } }),
      sampleRun({ name: "b", config: { experiment: "mnist", options: { nodes: 3, H: 20 } } }),
    ];
    const page = renderReport(...records);
    expect(page).toContain("of different experiments");
    const rows = parseCsv(
      createReport(records)
        .files()
        .find(({ name }) => name === "config-differences.csv")!.content,
    );
    expect(rows).toEqual([
      ["Setting", "a", "b"],
      ["experiment", "digits", "mnist"],
      ["H", "10", "20"],
    ]);
  });

  test("runs that failed, go on, stand alone or are empty beside others", () => {
    const page = renderReport(
      sampleRun({ steps: 0, valInterval: 0, outcome: "failed", message: "No memory." }),
      sampleRun({ nodes: 1, valInterval: 0 }),
      sampleRun({ outcome: "unfinished", steps: 30 }),
      { ...empty, truncated: true },
    );
    expect(page).toContain("failed: No memory.");
    expect(page).toContain("The last line of events.jsonl of Unnamed run was cut off");
    expect(page).toContain("No simulated time passed, so no node did anything.");
    expect(page).toContain("Nothing was sent.");
    expect(page).not.toContain("NaN");
  });
});

/** RFC 4180. */
function parseCsv(text: string): readonly (readonly string[])[] {
  expect(text.endsWith("\r\n")).toBe(true);
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  const rows: string[][] = [[]];
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) throw new Error(`not CSV: ${text.slice(at, at + 60)}`);
    const [, quoted, plain, end] = match;
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end !== ",") rows.push([]);
  }
  return rows.slice(0, -1);
}
