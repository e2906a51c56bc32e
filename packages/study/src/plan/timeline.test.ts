// The graph of layers' passes against what can be worked out by hand, and against a plain recomputation step by step.

import fc from "fast-check";
import { expect, test } from "vitest";
import { nextBeginning, type TimedExchange, type Timeline, timesAfter } from "./timeline.ts";

const exchange = (parts: TimedExchange["parts"], given: Partial<TimedExchange> = {}): TimedExchange => ({
  every: 1,
  offset: 0,
  from: 1,
  until: Number.POSITIVE_INFINITY,
  delay: 0,
  parts,
  ...given,
});

const everyLayer = (layers: number, seconds: number, latencySeconds = 0): TimedExchange["parts"] =>
  Array.from({ length: layers }, (_, i) => ({ layer: layers - 1 - i, seconds, latencySeconds }));

test("without exchanges a step takes its computing", () => {
  const [three, ten] = timesAfter({ stepSeconds: 0.5, layers: 4, serial: false, exchanges: [] }, [3, 10]);
  expect(three).toBeCloseTo(1.5, 12);
  expect(ten).toBeCloseTo(5, 12);
});

test("where the network is slow, a step is a forward pass, the last layer's backward pass, and all bytes", () => {
  // Three seconds a step: 1 forward, 2 backward, a quarter of each for a layer; 4 × 5 s on the network.
  const timeline = { stepSeconds: 3, layers: 4, serial: false, exchanges: [exchange(everyLayer(4, 5))] };
  const [first, second] = timesAfter(timeline, [1, 2]) as [number, number];
  expect(first).toBeCloseTo(1 + 0.5 + 20, 12);
  expect(second - first).toBeCloseTo(1 + 0.5 + 20, 12);
});

test("where it is fast, only the first layer's exchange is waited for", () => {
  const timeline = { stepSeconds: 3, layers: 4, serial: false, exchanges: [exchange(everyLayer(4, 0.1))] };
  const [first, second] = timesAfter(timeline, [1, 2]) as [number, number];
  expect(second - first).toBeCloseTo(3.1, 12);
});

test("latencies of layers overlap, unless exchanges are serial", () => {
  const parts = everyLayer(2, 1, 10);
  const time = (serial: boolean): number =>
    timesAfter({ stepSeconds: 3, layers: 2, serial, exchanges: [exchange(parts)] }, [1])[0]!;
  expect(time(false)).toBeCloseTo(1 + 2 + 1 + 10, 12);
  expect(time(true)).toBeCloseTo(1 + 1 + 11 + 11, 12);
});

test("a delay hides an exchange behind so many steps", () => {
  const time = (delay: number): number => {
    const slow = exchange([{ layer: 0, seconds: 2.5, latencySeconds: 0 }], { every: 10, delay });
    return timesAfter({ stepSeconds: 1, layers: 1, serial: true, exchanges: [slow] }, [20 + delay])[0]!;
  };
  expect([0, 1, 2, 3].map(time)).toEqual([25, 24, 23, 23].map((seconds) => expect.closeTo(seconds, 9)));
});

/** The same equations, a step and a layer at a time, with all arrivals kept. */
function plainly({ stepSeconds, layers, serial, exchanges }: Timeline, steps: number): number {
  const arrivals: number[][] = [];
  let [now, free] = [0, 0];
  const latest = (step: number, layer: number): number =>
    Math.max(0, ...(arrivals[step * layers + layer] ?? []));
  for (let step = 1; step <= steps; step++) {
    for (let layer = 0; layer < layers; layer++)
      now = Math.max(now, latest(step, layer)) + stepSeconds / 3 / layers;
    for (let layer = layers - 1; layer >= 0; layer--) {
      now += (2 * stepSeconds) / 3 / layers;
      for (const { every, offset, from, until, delay, parts } of exchanges) {
        if (step < from || step > until || (step - offset) % every !== 0) continue;
        for (const part of parts.filter((candidate) => candidate.layer === layer)) {
          const sent = Math.max(now, free) + part.seconds;
          free = serial ? sent + part.latencySeconds : sent;
          const place = (step + 1 + delay) * layers + layer;
          arrivals[place] = [...(arrivals[place] ?? []), sent + part.latencySeconds];
        }
      }
    }
  }
  return Math.max(now, ...Array.from({ length: layers }, (_, layer) => latest(steps + 1, layer)));
}

const timelines = fc.record({
  stepSeconds: fc.double({ min: 0.01, max: 10, noNaN: true }),
  layers: fc.integer({ min: 1, max: 5 }),
  serial: fc.boolean(),
  exchanges: fc.array(
    fc.record({
      every: fc.integer({ min: 1, max: 7 }),
      offset: fc.integer({ min: 0, max: 6 }),
      from: fc.integer({ min: 1, max: 9 }),
      until: fc.constantFrom(5, 12, Number.POSITIVE_INFINITY),
      delay: fc.integer({ min: 0, max: 8 }),
      seconds: fc.double({ min: 0, max: 20, noNaN: true }),
      latencySeconds: fc.double({ min: 0, max: 20, noNaN: true }),
    }),
    { maxLength: 3 },
  ),
});

test("skipping the steps in which nothing happens changes no time", () => {
  fc.assert(
    fc.property(timelines, fc.integer({ min: 1, max: 40 }), ({ exchanges, ...rest }, steps) => {
      const timeline: Timeline = {
        ...rest,
        exchanges: exchanges.map(({ seconds, latencySeconds, ...given }) =>
          exchange(everyLayer(rest.layers, seconds, latencySeconds), given),
        ),
      };
      const expected = plainly(timeline, steps);
      expect(timesAfter(timeline, [steps])[0]! / expected).toBeCloseTo(1, 9);
      const marks = [Math.ceil(steps / 3), steps].sort((a, b) => a - b);
      expect(timesAfter(timeline, marks)[1]! / expected).toBeCloseTo(1, 9);
    }),
  );
});

test("the next step in which an exchange begins", () => {
  const given = exchange([], { every: 5, offset: 3, from: 4, until: 20 });
  expect([0, 3, 7, 8, 17, 18].map((step) => nextBeginning(given, step))).toEqual([
    8,
    8,
    8,
    13,
    18,
    Number.POSITIVE_INFINITY,
  ]);
});
