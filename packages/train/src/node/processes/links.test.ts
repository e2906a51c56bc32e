// Who makes the network's conditions felt, by what the ranks have come to.

import { expect, test } from "vitest";
import { decideLinks, type LinkOffer, refusalOfReturn } from "./links.ts";

const KERNEL: LinkOffer = { kind: "shaped", shaping: "delays", says: "Bandwidth is htb's." };
const NETEM: LinkOffer = { kind: "shaped", shaping: "system", says: "All is the kernel's." };
const NOT: LinkOffer = { kind: "impossible", reason: "tc is not installed." };

const decide = (asked: Parameters<typeof decideLinks>[0], ...offers: readonly LinkOffer[]) =>
  decideLinks(asked, new Map(offers.map((offer, rank) => [rank, offer])));

test("the kernel on all ranks, or on none", () => {
  expect(decide("either", KERNEL, KERNEL)).toEqual({
    shaping: "delays",
    config: { shaping: "tc (htb), delays in user space", shapingDetails: "Bandwidth is htb's." },
  });
  expect(decide("system", NETEM, NETEM)).toMatchObject({
    shaping: "system",
    config: { shaping: "tc (htb, netem)" },
  });
  expect(decide("either", KERNEL, NOT)).toEqual({
    shaping: "userSpace",
    config: { shaping: "userSpace", shapingDetails: "Not tc: Rank 1: tc is not installed." },
  });
  expect(decide("either", KERNEL, NETEM)).toMatchObject({ shaping: "userSpace" });
  for (const offers of [[KERNEL, NOT] as const, [KERNEL, NETEM] as const])
    expect(() => decide("system", ...offers)).toThrow(
      /^Option "shaping": tc cannot shape the links\. .* Use/,
    );
});

test("what is asked for otherwise is done", () => {
  for (const asked of ["none", "userSpace"] as const)
    expect(decide(asked, { kind: "asAsked" }, { kind: "asAsked" })).toEqual({
      shaping: asked,
      config: { shaping: asked },
    });
});

test("a rank comes back only with links like the others'", () => {
  const kernel = decide("either", KERNEL, KERNEL);
  expect(refusalOfReturn(kernel, 1, KERNEL)).toBeUndefined();
  expect(refusalOfReturn(kernel, 1, NOT)?.message).toContain(
    "Rank 1 is back, and its links cannot be shaped",
  );
  expect(refusalOfReturn(decide("either", KERNEL, NOT), 1, KERNEL)).toBeUndefined();
});
