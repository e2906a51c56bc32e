// Mends four defects of jax-js 0.1.25 in its installed copy; npm runs this after every installation, on whatever Node there is.
// All but the last made its WebAssembly kernels give wrong numbers without a word.
//
// 1. A kernel that reduces computes tiles of several rows at once, and lets the rows of a tile share the pointers to inputs that
//    are the same for each. Whether an input is, it asked for a shift by the input's own period instead of by a row. With inputs
//    of different periods in one kernel, such as max over r of (a[r, i, j] + b[i, j]) for all of several k, it took the first row
//    of b for the others.
// 2. For an index (i + c) % N or (i + c) / N it took the first tile to be N elements long, though it is c shorter.
// 3. A padded convolution fused with what makes its input f(x) was padded with f(0). As for `pad`, the input has to be there first.
// 4. The gradient of an embedding that goes through a view, as into a linear layer, failed to compile: what has to be there for
//    a scatter is its input, not what that is a view of.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const VERSION = "0.1.25";
/** By kind of file: what is wrong there, and what is right. */
const replacements = {
  backend: [
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
    [
      "\treturn {\n\t\tkind,\n\t\ttileSize: Math.min(inner.tileSize, N)\n\t};",
      [
        '\tconst origin = constInt(rewriteSymbol(exp.src[0], "gidx", () => AluExp.i32(0)));',
        '\tif (origin === null) return { kind: "gather" };',
        "\tconst own = gcd(N, Math.abs(origin));",
        "\treturn {\n\t\tkind,\n\t\ttileSize: isFinite(inner.tileSize) ? gcd(own, inner.tileSize) : own\n\t};",
      ].join("\n"),
    ],
  ],
  index: [
    [
      'const needsCleanShapePrimitives = ["concatenate", "pad"];',
      'const needsCleanShapePrimitives = ["concatenate", "pad", "conv"];',
    ],
    [
      "for (const input of eqn.inputs) if (input instanceof Var) markNonViewProducer(input);\n\t}\n\tfor (let i = jaxpr",
      "for (const input of eqn.inputs) if (input instanceof Var) if (routinePrimitives.has(eqn.primitive)) materializedProducers.add(input); else markNonViewProducer(input);\n\t}\n\tfor (let i = jaxpr",
    ],
  ],
};

const dist = new URL(".", import.meta.resolve("@jax-js/jax"));
const { version } = JSON.parse(readFileSync(new URL("../package.json", dist), "utf8"));
if (version !== VERSION)
  throw new Error(
    `@jax-js/jax ${version}: expected ${VERSION}; see whether the new release still needs what this script mends (tensor/src/backends/wasm.test.ts fails if it does), and adapt or remove it`,
  );
for (const name of readdirSync(dist)) {
  const kind = /^(backend|index)\b.*\.c?js$/.exec(name)?.[1];
  if (kind === undefined) continue;
  const file = new URL(name, dist);
  const source = readFileSync(file, "utf8");
  let mended = source;
  for (const [wrong, right] of replacements[kind]) {
    if (mended.includes(right)) continue;
    if (mended.split(wrong).length !== 2)
      throw new Error(
        `${fileURLToPath(file)}: expected once "${wrong}"; install the package anew with npm ci`,
      );
    mended = mended.replace(wrong, () => right);
  }
  if (mended !== source) writeFileSync(file, mended);
}
