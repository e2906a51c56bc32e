import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CongestionWindow, type Control } from "./congestionWindow.ts";

const UNBOUNDED = Number.POSITIVE_INFINITY;

/** Segments that each flight has while every `period` segments one is lost, from flight to flight. */
function flightsWithPeriodicLoss(control: Control, roundTrip: number, period: number): readonly number[] {
  const window = new CongestionWindow(control, roundTrip);
  window.open();
  const flights: number[] = [];
  let left = period;
  for (let loss = 0; loss < 60; ) {
    flights.push(window.size);
    left -= window.size;
    if (left > 0) {
      window.grow(window.size, roundTrip, UNBOUNDED);
      continue;
    }
    left += period;
    loss++;
    window.reduce();
  }
  return flights;
}

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** Without the first losses, before which the window is not what it will be. */
const settled = (flights: readonly number[]): readonly number[] =>
  flights.slice(Math.floor(flights.length / 2));

describe("one loss in every 1/p segments gives the formulas' mean window", () => {
  test.each([1e-3, 1e-4, 1e-5])("Reno, p = %d: √(3/2p)", (p) => {
    const got = mean(settled(flightsWithPeriodicLoss("reno", 0.1, 1 / p)));
    expect(Math.abs(got / Math.sqrt(3 / (2 * p)) - 1)).toBeLessThan(0.05);
  });

  test.each([
    [0.2, 1e-4],
    [0.5, 1e-4],
    [0.2, 1e-5],
  ])("CUBIC, round trip %d s, p = %d: 1.054 (RTT / p)^¾", (roundTrip, p) => {
    const got = mean(settled(flightsWithPeriodicLoss("cubic", roundTrip, 1 / p)));
    // Flights are whole, so a loss comes a little before or after the former one, and fast convergence may act on that.
    expect(Math.abs(got / (1.054 * (roundTrip / p) ** 0.75) - 1)).toBeLessThan(0.1);
  });

  test("CUBIC on short round trips is as fast as Reno", () => {
    const got = mean(settled(flightsWithPeriodicLoss("cubic", 0.001, 1e4)));
    expect(Math.abs(got / Math.sqrt(3e4 / 2) - 1)).toBeLessThan(0.1);
  });
});

test("CUBIC comes back to the window before the loss after K = ∛(0.3 W / 0.4) seconds, slowest there (RFC 9438, 4.2)", () => {
  const roundTrip = 0.01;
  const window = new CongestionWindow("cubic", roundTrip);
  // In a segment's round trips Reno's growth would win; a window of 10,000 segments leaves it far behind.
  window.state = [10_000, 10_000, 0, 0, 0];
  window.reduce();
  expect(window.size).toBeCloseTo(7000, 9);
  const back = Math.cbrt(3000 / 0.4);
  const sizes: number[] = [];
  for (let time = 0; time < 2 * back; time += roundTrip) {
    window.grow(window.size, roundTrip, UNBOUNDED);
    sizes.push(window.size);
  }
  expect(sizes[Math.round(back / roundTrip)]).toBeCloseTo(10_000, -1);
  expect(sizes.at(-1)! / 13_000).toBeCloseTo(1, 2);
});

test("a window is between 1 segment and its bound, whatever happens, and its state is all there is to it", () => {
  const happenings = fc.array(fc.constantFrom("grow", "reduce", "timeOut", "again", "restart"), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(
      fc.constantFrom<Control>("reno", "cubic"),
      fc.constantFrom(0.0001, 0.05, 1),
      fc.integer({ min: 10, max: 5000 }),
      happenings,
      (control, roundTrip, most, what) => {
        let window = new CongestionWindow(control, roundTrip);
        window.open();
        for (const happening of what) {
          const copy = new CongestionWindow(control, roundTrip);
          copy.state = JSON.parse(JSON.stringify(window.state)) as typeof window.state;
          for (const one of [window, copy]) {
            if (happening === "grow") one.grow(one.size, roundTrip, most);
            else if (happening === "timeOut" || happening === "again") one.timeOut(happening === "again");
            else one[happening]();
          }
          expect(copy.state).toEqual(window.state);
          window = copy;
          expect(window.size).toBeGreaterThanOrEqual(1);
          expect(window.size).toBeLessThanOrEqual(most);
        }
      },
    ),
  );
});
