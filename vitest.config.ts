import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that take longest, in the order in which they begin: those that mostly wait for containers and processes take
 * turns with those that compute, and none is left to go on alone at the end. Any other order gives the same results.
 */
const LONG = [
  "docs/snippets.test.ts",
  "packages/cli/src/sandbox.test.ts",
  "packages/cluster/src/sandbox/contents.test.ts",
  "packages/train/src/strategies/conformance.test.ts",
  "packages/cluster/src/sandbox/sandbox.test.ts",
  "packages/cli/src/strategies.test.ts",
  "packages/cli/src/processes.test.ts",
  "packages/cluster/src/launchers/conformance.test.ts",
  "packages/study/src/report/browser.test.ts",
  "packages/train/src/faults/randomFaults.test.ts",
];

/** The long files first, then Vitest's order. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const index = LONG.findIndex((path) => moduleId.endsWith(`/${path}`));
      return index === -1 ? LONG.length : index;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "examples/**/*.test.ts",
      "docs/**/*.test.ts",
      "benchmarks/**/*.test.ts",
    ],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Tests start worker threads and native sessions of their own; forks keep those apart from Vitest's.
    pool: "forks",
    // Vitest would keep a core for itself: on two cores one file at a time, most of the time waiting for containers.
    maxWorkers: "100%",
    sequence: { sequencer: LongFirst },
    // Hundreds of threads and processes load the same sources: what Node has compiled of them is kept for the next one.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/node", import.meta.url)) },
  },
});
