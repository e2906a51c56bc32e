// `make validate`: the network model against formulas, worked examples and brute force, and where it is known to differ
// from real networks. docs/network.md explains each line. The table goes to stderr; with --json the same rows, in full
// precision, go to stdout. Exit code 1 if a pass mark is missed, 2 for an unknown argument.

import { validate } from "./validation/index.ts";
import { FULL, outcomeOf, tableOf } from "./validation/row.ts";

const wanted = process.argv.slice(2);
const unknown = wanted.find((argument) => argument !== "--json");
if (unknown !== undefined) {
  console.error(`benchmarks/validate.ts: expected --json or nothing, got ${JSON.stringify(unknown)}.`);
  process.exit(2);
}

const rows = await validate(FULL);
console.error(tableOf(rows));
if (wanted.includes("--json"))
  console.log(
    JSON.stringify({ validation: "network", rows: rows.map((row) => ({ ...row, outcome: outcomeOf(row) })) }),
  );
const missed = rows.filter((row) => outcomeOf(row) === "FAIL");
for (const { test } of missed) console.error(`Missed its pass mark: ${test}`);
if (missed.length > 0) process.exitCode = 1;
