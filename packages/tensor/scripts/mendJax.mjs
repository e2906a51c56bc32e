// Mends a defect of jax-js 0.1.25 in its installed copy; npm runs this after every installation, on whatever Node there is.
//
// A WebAssembly kernel that reduces computes tiles of several rows at once, and lets the rows of a tile share the pointers
// to inputs that are the same for each. Whether an input is, it asked for a shift by the input's own period instead of by a
// row. With inputs of different periods in one kernel, such as
//
//   max over r of (a[r, i, j] + b[i, j]), for all of several k
//
// it took the first row of b for the other rows, and gave wrong sums, maxima and gradients without a word.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const VERSION = "0.1.25";
const replacements = [
  [
    "function pointerShareKey(candidate, row, vector, groupIndex) {",
    "function pointerShareKey(candidate, tileSize, row, vector, groupIndex) {",
  ],
  [
    "return repeatsAcrossGidxTile(candidate.baseIndex, stride.tileSize) ?",
    "return repeatsAcrossGidxTile(candidate.baseIndex, tileSize) ?",
  ],
  [
    "=> pointerShareKey(candidate, group.row, group.vector, i)",
    "=> pointerShareKey(candidate, plan.tileSize, group.row, group.vector, i)",
  ],
];

const dist = new URL(".", import.meta.resolve("@jax-js/jax"));
const { version } = JSON.parse(readFileSync(new URL("../package.json", dist), "utf8"));
if (version !== VERSION)
  throw new Error(
    `@jax-js/jax ${version}: expected ${VERSION}; see whether the new release still needs what this script mends (tensor/src/backends/wasm.test.ts fails if it does), and adapt or remove it`,
  );
for (const name of readdirSync(dist).filter((file) => /^backend-.*\.c?js$/.test(file))) {
  const file = new URL(name, dist);
  const source = readFileSync(file, "utf8");
  let mended = source;
  for (const [wrong, right] of replacements) {
    if (mended.includes(right)) continue;
    if (mended.split(wrong).length !== 2)
      throw new Error(
        `${fileURLToPath(file)}: expected once "${wrong}"; install the package anew with npm ci`,
      );
    mended = mended.replace(wrong, right);
  }
  if (mended !== source) writeFileSync(file, mended);
}
