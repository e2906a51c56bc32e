// A comparison of invented runs whose winners, costs and bounds are known.

import { adPsgd, fedAvg, type Strategy } from "@atoll/train";
import { expect, test } from "vitest";
import { strayPoints } from "../test/figurePoints.ts";
import { trained } from "../test/smallRun.ts";
import { malformation } from "../test/wellFormed.ts";
import { type Cell, compareCells } from "./comparison.ts";
import { renderComparison } from "./comparisonPage.ts";
import { comparisonJson, comparisonText } from "./comparisonTable.ts";
import { type RunFacts, runFacts } from "./runFacts.ts";
import { verdictsOf } from "./verdicts.ts";

const prices = { nodeHour: 3.6, gigabyte: 0.1 };

interface Invented {
  readonly seed?: number;
  /** Seconds of a step. */
  readonly pace: number;
  /** By step, from 1. */
  readonly losses: readonly number[];
  readonly computeShare?: number;
}

/** Two nodes that send a GB a step. */
function run({ seed = 0, pace, losses, computeShare = 0.2 }: Invented): RunFacts {
  const steps = losses.length;
  const seconds = steps * pace;
  return {
    seed,
    steps,
    costs: {
      simulatedSeconds: seconds,
      computeSeconds: computeShare * seconds,
      communicationSeconds: (1 - computeShare) * seconds,
      waitingSeconds: 0,
      totalBytes: steps * 1e9,
      nodes: 2,
    },
    heard: true,
    flopsPerStep: 2e9,
    curveOf: "evaluations",
    curve: losses.map((loss, i) => ({ step: i + 1, time: (i + 1) * pace, bytes: (i + 1) * 1e9, loss })),
    loss: losses.at(-1)!,
    accuracy: null,
  };
}

const cell = (varied: Cell["varied"], runs: readonly RunFacts[], more: Partial<Cell> = {}): Cell => ({
  label: Object.entries(varied)
    .map((pair) => pair.join("="))
    .join(" "),
  varied,
  runs,
  failures: [],
  latencyShare: null,
  ...more,
});

const falling = [4, 3, 2, 1];
const slow = cell({ strategy: "ddp", nodes: "2" }, [run({ pace: 10, losses: falling })], {
  latencyShare: 0.1,
});
const fast = cell({ strategy: "diloco", nodes: "2" }, [run({ pace: 1, losses: [4, 3, 3, 2] })], {
  latencyShare: 0.9,
});

test("by default the target is the lowest loss that every run comes to; costs are those of time and bytes", () => {
  const { target, cells } = compareCells([slow, fast], { prices });
  expect(target).toEqual({ loss: 2, given: false });
  expect(cells.map(({ toTarget }) => toTarget!.seconds!.mean)).toEqual([30, 4]);
  // Two nodes at $3.6 an hour for 30 s are 6 cents, 3 GB are 30 cents.
  expect(cells[0]!.toTarget!.dollars!.mean).toBeCloseTo(0.36, 12);
  expect(cells.map(({ bound }) => bound)).toEqual(["bandwidth", "latency"]);
});

test("runs that were evaluated at their end alone are said to be: the time to the target is that of the whole run", () => {
  const note = "evaluated at its end alone";
  const once = cell({ strategy: "ddp" }, [run({ pace: 1, losses: [2] })]);
  expect(comparisonText(compareCells([once], { prices }))).toContain(note);
  expect(comparisonText(compareCells([once, fast], { prices }))).not.toContain(note);
});

test("the winner of each place is the first at the target, with the reason", () => {
  const comparison = compareCells([slow, fast], { prices, targetLoss: 3 });
  expect(verdictsOf(comparison)).toEqual([
    {
      place: "nodes=2",
      winner: "strategy=diloco",
      cheapest: "strategy=diloco",
      text: "strategy=diloco comes to loss 3.000 in 2 s, 10.0 times as fast as strategy=ddp (20 s); one run of each says nothing of chance. By then it has sent 2 GB, the other 2 GB; it is bound by latency (20.0 % of the time computing), the other bound by bandwidth (20.0 % of the time computing).",
    },
  ]);
});

test("where cells differ in their places only, the places are compared", () => {
  const places = [
    cell({ nodes: "1" }, [run({ pace: 10, losses: falling })]),
    cell({ nodes: "8" }, [run({ pace: 1, losses: falling })]),
  ];
  const comparison = compareCells(places, { prices });
  expect(verdictsOf(comparison)).toMatchObject([{ place: "everywhere", winner: "nodes=8" }]);
  const title = { name: "k", experiment: "digits", command: null };
  const { files, page } = renderComparison(comparison, title);
  expect(files().map(({ name }) => name)).toEqual(["loss-everywhere.svg", "cells.csv"]);
  expect(page.replaceAll("loss-everywhere", ""), "the only place needs no name").not.toContain("everywhere");
  const [figure] = files();
  expect(figure!.content).toContain("nodes=1");
  expect(figure!.content).toContain("nodes=8");
});

test("arithmetic is an axis where runs say how much of it a step is", () => {
  const title = { name: "k", experiment: "digits", command: null };
  const pageOf = (flopsPerStep: number | null): string =>
    renderComparison(
      compareCells([cell({}, [{ ...run({ pace: 1, losses: falling }), flopsPerStep }])], { prices }),
      title,
    ).page;
  expect(pageOf(2e9)).toContain("floating-point operations of all (10⁹)");
  expect(pageOf(null)).not.toContain("floating-point");
});

test("who does not come to the target in every run does not win; nobody wins where nobody does", () => {
  const hard = compareCells([slow, fast], { prices, targetLoss: 1 });
  expect(verdictsOf(hard)[0]).toMatchObject({ winner: "strategy=ddp" });
  expect(verdictsOf(hard)[0]!.text).toContain("strategy=diloco does not come there in every run.");
  expect(comparisonText(hard)).toContain("not reached");
  const impossible = compareCells([slow, fast], { prices, targetLoss: 0.5 });
  expect(verdictsOf(impossible)[0]).toMatchObject({ winner: null, text: "No run comes to loss 0.5000." });
});

test("repeats decide whether a difference may be chance", () => {
  const repeats = (strategy: string, paces: readonly number[]): Cell =>
    cell(
      { strategy },
      paces.map((pace, seed) => run({ seed, pace, losses: falling })),
    );
  const textFor = (...paces: readonly number[]): string =>
    verdictsOf(compareCells([repeats("a", [10, 10.1, 10.2]), repeats("b", paces)], { prices }))[0]!.text;
  expect(textFor(20, 20.1, 20.2)).not.toContain("chance");
  expect(textFor(9.9, 10.2, 10.3)).toContain("may be chance");
  expect(textFor(20)).toContain("one run of each says nothing of chance");
});

test("on the page an interval is below its mean, and saved beside it", () => {
  const seeds = cell(
    { strategy: "a" },
    [1, 1.2].map((pace) => run({ pace, losses: falling })),
  );
  const comparison = compareCells([seeds], { prices });
  const { page, files } = renderComparison(comparison, { name: "c", experiment: "digits", command: null });
  const [, mean, interval] = /<td[^>]*>([^<]+)<br\/><span class="interval">(\[[^<]+\])<\/span>/.exec(page)!;
  expect(files().find(({ name }) => name === "cells.csv")!.content).toContain(`${mean} ${interval}`);
});

test("contenders are compared seed by seed: what a seed does to all of them is no doubt of the winner", () => {
  const repeats = (strategy: string, paces: readonly number[]): Cell =>
    cell(
      { strategy },
      paces.map((pace, seed) => run({ seed, pace, losses: falling })),
    );
  const links = [1, 10, 100];
  const text = (factors: readonly number[]): string =>
    verdictsOf(
      compareCells(
        [
          repeats("a", links),
          repeats(
            "b",
            links.map((pace, i) => pace * factors[i]!),
          ),
        ],
        { prices },
      ),
    )[0]!.text;
  expect(text([2, 2, 2])).toContain(
    "2.00 times as fast as strategy=b (80.0 s); seed by seed between 2.00 and 2.00 times (95 %).",
  );
  expect(text([2, 2.2, 2.1])).not.toContain("chance");
  expect(text([0.5, 4, 2])).toContain("may be chance");
});

test("cells that failed, diverged or computed only are told of, and break nothing", () => {
  const failed = cell({ strategy: "x" }, [], { failures: ["It broke."] });
  const diverged = cell({ strategy: "y" }, [run({ pace: 1, losses: [Number.NaN, Number.NaN] })]);
  const alone = cell({ strategy: "z" }, [run({ pace: 1, losses: falling, computeShare: 1 })]);
  const comparison = compareCells([failed, diverged, alone], { prices });
  const again = run({ seed: 1, pace: 1, losses: [Number.NaN, Number.NaN] });
  const twice = compareCells([{ ...diverged, runs: [...diverged.runs, again] }], { prices });
  expect(comparisonText(twice)).toContain("not finite");
  expect(comparisonText(twice)).not.toContain("[not finite");
  expect(comparison.target).toEqual({ loss: 1, given: false });
  const text = comparisonText(comparison);
  expect(text).toContain("FAILED  strategy=x: It broke.");
  expect(text).toContain("strategy=z comes to loss 1.000");
  expect(comparison.cells[2]!.bound).toBe("compute");
  expect(JSON.parse(JSON.stringify(comparisonJson(comparison))).cells).toHaveLength(3);
  expect(verdictsOf(compareCells([failed], { prices }))[0]!.winner).toBeNull();
});

/** The same, of nodes that never speak to each other. */
function silentRun(given: Invented): RunFacts {
  const { costs, curve, ...rest } = run(given);
  const silent = curve.map((point) => ({ ...point, bytes: 0 }));
  return { ...rest, costs: { ...costs, totalBytes: 0 }, curve: silent, heard: false };
}

test("nodes that send nothing win nothing and set no target, however quick and cheap they are", () => {
  const alone = cell({ strategy: "alone", nodes: "2" }, [silentRun({ pace: 0.01, losses: [4, 3.5] })]);
  const lonely = cell({ strategy: "lonely", nodes: "2" }, [silentRun({ pace: 0.01, losses: falling })]);
  const without = compareCells([slow, fast], { prices });
  const among = compareCells([alone, slow, fast, lonely], { prices });
  expect(among.cells.map(({ isSilent }) => isSilent)).toEqual([true, false, false, true]);
  expect(among.target).toEqual(without.target);
  const [verdict] = verdictsOf(without);
  expect(verdictsOf(among)).toEqual([
    {
      ...verdict,
      text: `${verdict!.text} strategy=alone and strategy=lonely are no contenders: their nodes heard nothing of each other, and each trained by itself.`,
    },
  ]);
  expect(comparisonText(among)).toContain(
    "the lowest that every run comes to, but for those whose nodes heard nothing of each other",
  );
  expect(comparisonText(without)).not.toContain("heard nothing");
});

test("messages that arrive after the run's end are not heard, though they count as sent", async () => {
  const heard = async (strategy: Strategy, step: number) => {
    const compute = { kind: "measured", durations: [step] } as const;
    const run = {
      strategy,
      nodes: 2,
      maxSteps: 8,
      batchSize: 8,
      network: { profile: "wan" },
      compute,
    } as const;
    const facts = runFacts(await trained(run));
    expect(facts.costs.totalBytes > 0).toBe(strategy.name === "adpsgd" || facts.heard);
    return facts.heard;
  };
  expect(await heard(adPsgd(), 1e-6)).toBe(false);
  expect(await heard(adPsgd(), 0.1)).toBe(true);
  expect(await heard(fedAvg({ H: 4 }), 1e-6)).toBe(true);
  expect(await heard(fedAvg({ H: 40 }), 0.1)).toBe(false);
});

test("who comes to the target before its nodes exchange anything is said to", () => {
  const { curve, ...rest } = run({ pace: 0.1, losses: falling });
  const late = curve.map((point, i) => ({ ...point, bytes: i < 3 ? 0 : point.bytes }));
  const early = cell({ strategy: "late", nodes: "2" }, [{ ...rest, curve: late }]);
  const [verdict] = verdictsOf(compareCells([early, slow], { prices, targetLoss: 3 }));
  expect(verdict!.text).toContain("it has sent nothing yet (each node trained by itself), the other 2 GB;");
});

test("where no node sends anything in any cell there is nothing to win; a node alone is no silent one", () => {
  const alone = cell({ strategy: "alone" }, [silentRun({ pace: 1, losses: falling })]);
  const silent = compareCells([alone, { ...alone, varied: { strategy: "lonely" } }], { prices });
  expect(silent.target).toEqual({ loss: 1, given: false });
  expect(verdictsOf(silent)).toMatchObject([{ winner: null, cheapest: null }]);
  expect(comparisonText(silent)).toMatch(/nothing to win/);
  const { costs, ...rest } = silentRun({ pace: 1, losses: falling });
  const single = cell({ nodes: "1" }, [{ ...rest, costs: { ...costs, nodes: 1 } }]);
  const sizes = compareCells([single, cell({ nodes: "2" }, [run({ pace: 2, losses: falling })])], { prices });
  expect(verdictsOf(sizes)).toMatchObject([{ winner: "nodes=1" }]);
});

test("nodes that send nothing are told of and drawn at no bytes; each option of a cell has a line", () => {
  const silent = silentRun({ pace: 1, losses: falling });
  const cells = [fast, cell({ strategy: "alone", nodes: "2" }, [silent])];
  const title = { name: "a", experiment: "digits", command: null };
  const comparison = compareCells(cells, { prices });
  const { page } = renderComparison(comparison, title);
  expect(comparisonText(comparison)).toMatch(
    /\nNo node heard of another in strategy=alone nodes=2: nothing was sent/,
  );
  expect(comparisonText(compareCells([slow, fast], { prices }))).not.toContain("No node sent");
  const panel = page.slice(page.indexOf("Loss against bytes sent by all"));
  expect(panel.slice(0, panel.indexOf("</svg>")).match(/strategy=alone nodes=2, seed 0/g)).toHaveLength(4);
  expect(page).toContain("strategy=alone<br/>nodes=2");
});

test("the page is well-formed, its curves lie inside their plots; empty and crowded ones too", () => {
  const many = Array.from({ length: 40 }, (_, i) =>
    cell({ strategy: `s${i % 25}`, "network.profile": `p${Math.floor(i / 25)}` }, [
      run({ pace: 10 ** (i % 5), losses: [2 + i, 1 + i / 10, 0.001 * (i + 1)] }),
      run({ seed: 1, pace: 1, losses: [Number.NaN, Number.POSITIVE_INFINITY, -1] }),
    ]),
  );
  const failed = cell({ strategy: "<x>" }, [], { failures: ["It <broke> & so on."] });
  for (const cells of [
    [],
    [failed],
    [slow, fast],
    [...many, failed],
    [cell({}, [run({ pace: 0, losses: [1] })])],
  ]) {
    const comparison = compareCells(cells, { prices });
    const { page, files } = renderComparison(comparison, {
      name: "a & b",
      experiment: "digits",
      command: ["npx", "a b"],
    });
    expect(malformation(page)).toBeNull();
    expect(strayPoints(page)).toEqual([]);
    expect(page).not.toMatch(/NaN|undefined/);
    for (const { name, content } of files())
      if (name.endsWith(".svg")) expect(malformation(content.replace(/^<\?xml[^>]*>\n/, ""))).toBeNull();
  }
});
