// Slurm's lists of nodes, as `scontrol show hostnames` expands them.

import fc from "fast-check";
import { expect, test } from "vitest";
import { hostNames } from "./slurmHostNames.ts";

test.each([
  ["login", ["login"]],
  ["a,b.example.com", ["a", "b.example.com"]],
  ["n[1-3]", ["n1", "n2", "n3"]],
  ["n[08-11,020]", ["n08", "n09", "n10", "n11", "n020"]],
  ["gpu[1-2]-ib,cpu7", ["gpu1-ib", "gpu2-ib", "cpu7"]],
  ["r[1-2]n[1,3]", ["r1n1", "r1n3", "r2n1", "r2n3"]],
])("%s", (list, expected) => {
  expect(hostNames("SLURM_NODELIST", list)).toEqual(expected);
});

test.each(["", "a,", "n[1-", "n]1[", "n[3-1]", "n[a]", "n[[1]]", "n[1-999999999]"])(
  "%j is refused",
  (list) => {
    expect(() => hostNames("SLURM_NODELIST", list)).toThrow(
      /variable SLURM_NODELIST: expected a list of nodes/,
    );
  },
);

test("a range has all numbers, each as wide as the first", () => {
  fc.assert(
    fc.property(fc.nat(2000), fc.nat(50), fc.integer({ min: 1, max: 6 }), (first, more, width) => {
      const pad = (number: number): string => String(number).padStart(width, "0");
      const names = hostNames("SLURM_NODELIST", `n[${pad(first)}-${pad(first + more)}]`);
      expect(names).toEqual(Array.from({ length: more + 1 }, (_, i) => `n${pad(first + i)}`));
    }),
  );
});
