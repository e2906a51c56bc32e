// What every strategy makes of the same training: one experiment, each strategy with its own defaults, and for each the loss
// that it comes to against the bytes that a node sends. The table and the figure of docs/strategies.md.
// Run: node benchmarks/lossAgainstBytes.ts [figure.svg]. The table goes to stdout, as Markdown. Each line can be had by itself:
// npx atoll train mnist model=mlp nodes=8 maxSteps=500 network.profile=wan strategy=NAME

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatBytes } from "@atoll/core";
import { strategyEntries } from "@atoll/train";

const OPTIONS = ["mnist", "model=mlp", "nodes=8", "maxSteps=500", "network.profile=wan"];
const ATOLL = join(import.meta.dirname, "../packages/cli/bin/atoll.mjs");

interface Outcome {
  readonly strategy: string;
  readonly optimizer: string;
  readonly loss: number;
  readonly accuracy: number;
  /** Sent by a node, in the mean. */
  readonly bytes: number;
  readonly simulatedSeconds: number;
}

/** The lines of a run's log that this reads. */
interface LogLine {
  readonly type: string;
  readonly split?: string;
  readonly loss?: { readonly global: number };
  readonly accuracy?: { readonly global: number };
  readonly bytesSent?: number | readonly number[];
  readonly simulatedSeconds?: number;
  readonly config?: { readonly optimizer: OptimizerConfig };
}

interface OptimizerConfig {
  readonly kind: string;
  readonly parts?: readonly OptimizerConfig[];
}

/** Of a chain, such as FedProx's, the optimizer is what comes last. */
const nameOf = ({ kind, parts }: OptimizerConfig): string =>
  parts === undefined ? kind : nameOf(parts.at(-1)!);

function train(strategy: string, runs: string): Outcome {
  const args = [ATOLL, "train", ...OPTIONS, `strategy=${strategy}`, "--name", strategy, "--runs-dir", runs];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${strategy}: exit code ${status}: ${stderr.slice(-500)}`);
  const log = readFileSync(join(runs, strategy, "events.jsonl"), "utf8")
    .trim()
    .split("\n");
  const lines = log.map((line) => JSON.parse(line) as LogLine);
  const started = lines.find(({ type }) => type === "runStarted")!;
  const test = lines.find(({ type, split }) => type === "evaluation" && split === "test")!;
  const finished = lines.find(({ type }) => type === "runFinished")!;
  const sent = finished.bytesSent as readonly number[];
  return {
    strategy,
    optimizer: nameOf(started.config!.optimizer),
    loss: test.loss!.global,
    accuracy: test.accuracy!.global,
    bytes: sent.reduce((sum, bytes) => sum + bytes, 0) / sent.length,
    simulatedSeconds: finished.simulatedSeconds!,
  };
}

function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(
    ({ strategy, optimizer, loss, accuracy, bytes, simulatedSeconds }, i) =>
      `| ${i + 1} | \`${strategy}\` | ${optimizer} | ${formatBytes(bytes)} | ${loss.toFixed(3)} | ${(100 * accuracy).toFixed(2)} % | ${simulatedSeconds.toFixed(1)} s |`,
  );
  return [
    "| | strategy | optimizer | sent per node | test loss | accuracy | simulated time |",
    "|---|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

const BOX = { width: 760, height: 420, left: 64, right: 744, top: 24, bottom: 368 };
const STYLE = `
  text { font: 12px system-ui, "Liberation Sans", Arial, sans-serif; fill: #1b1c1e; }
  .rule { stroke: #d6d9de; } .point { fill: #0072b2; } .number { fill: #ffffff; font-size: 10px; font-weight: 600; }
  .paper { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e6e9; } .rule { stroke: #3a3e45; } .point { fill: #56b4e9; } .number { fill: #15171a; } .paper { fill: #15171a; }
  }`;

/** A value's place on a logarithmic axis. */
interface Scale {
  (value: number): number;
  readonly domain: readonly [number, number];
}

const logScale = (domain: readonly [number, number], range: readonly [number, number]): Scale => {
  const [low, high] = domain;
  const place = (value: number): number =>
    range[0] + ((range[1] - range[0]) * Math.log(value / low)) / Math.log(high / low);
  return Object.assign(place, { domain });
};

/** Test loss over bytes, both logarithmic; a point's number is its line in the table. */
function figure(outcomes: readonly Outcome[]): string {
  const span = (values: readonly number[]): [number, number] => [
    Math.min(...values) / 1.25,
    Math.max(...values) * 1.25,
  ];
  const x = logScale(span(outcomes.map(({ bytes }) => Math.max(1, bytes))), [BOX.left, BOX.right]);
  const y = logScale(span(outcomes.map(({ loss }) => loss)), [BOX.bottom, BOX.top]);
  const decades = (scale: Scale, mantissas: readonly number[]): readonly number[] => {
    const [low, high] = scale.domain;
    return Array.from({ length: 40 }, (_, i) => 10 ** (i - 12))
      .flatMap((power) => mantissas.map((mantissa) => Number((mantissa * power).toPrecision(3))))
      .filter((value) => value >= low && value <= high);
  };
  const vertical = decades(x, [1]).map(
    (value) =>
      `<path class="rule" d="M${x(value).toFixed(1)} ${BOX.top}V${BOX.bottom}"/><text x="${x(value).toFixed(1)}" y="${BOX.bottom + 18}" text-anchor="middle">${formatBytes(value)}</text>`,
  );
  const horizontal = decades(y, [1, 2, 5]).map(
    (value) =>
      `<path class="rule" d="M${BOX.left} ${y(value).toFixed(1)}H${BOX.right}"/><text x="${BOX.left - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${value}</text>`,
  );
  const points = apart(outcomes.map(({ bytes, loss }) => ({ x: x(Math.max(1, bytes)), y: y(loss) }))).map(
    (place, i) =>
      `<circle class="point" cx="${place.x.toFixed(1)}" cy="${place.y.toFixed(1)}" r="9"><title>${outcomes[i]!.strategy}</title></circle><text class="number" x="${place.x.toFixed(1)}" y="${(place.y + 3.5).toFixed(1)}" text-anchor="middle">${i + 1}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${BOX.width} ${BOX.height}" width="${BOX.width}" height="${BOX.height}" role="img" aria-label="Test loss against bytes sent per node, by strategy">
<style>${STYLE}</style>
<rect class="paper" width="${BOX.width}" height="${BOX.height}"/>
${[...vertical, ...horizontal, ...points].join("\n")}
<text x="${(BOX.left + BOX.right) / 2}" y="${BOX.height - 8}" text-anchor="middle">sent per node in the whole run</text>
<text x="8" y="14">test loss</text>
</svg>
`;
}

/** Points that would lie on each other are moved aside until their numbers can be read. */
function apart(
  points: readonly { readonly x: number; readonly y: number }[],
): readonly { readonly x: number; readonly y: number }[] {
  const placed: { readonly x: number; readonly y: number }[] = [];
  for (const point of points) {
    const isFree = (x: number, y: number): boolean =>
      placed.every((other) => Math.hypot(other.x - x, other.y - y) >= 18);
    let spot = point;
    for (let turn = 0; !isFree(spot.x, spot.y) && turn < 400; turn++) {
      const radius = (60 * turn) / 400;
      const angle = turn * 2.4;
      spot = { x: point.x + radius * Math.cos(angle), y: point.y + radius * Math.sin(angle) };
    }
    placed.push(spot);
  }
  return placed;
}

const runs = mkdtempSync(join(tmpdir(), "atoll-strategies-"));
try {
  const outcomes = strategyEntries
    .map(({ name }) => train(name, runs))
    .sort((a, b) => a.bytes - b.bytes || a.loss - b.loss);
  console.log(table(outcomes));
  const [, , path] = process.argv;
  if (path !== undefined) writeFileSync(path, figure(outcomes));
} finally {
  rmSync(runs, { recursive: true, force: true });
}
