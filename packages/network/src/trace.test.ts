import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resolveTrace, TraceBandwidth, type TraceOptions } from "./trace.ts";
import { parseTrace } from "./traceText.ts";

const bandwidth = (options: TraceOptions, source = 0, target = 1): TraceBandwidth =>
  new TraceBandwidth(resolveTrace(options, "network.trace"), createRandom(1), source, target);

describe("a trace", () => {
  const options: TraceOptions = {
    points: [
      [0, 100],
      [10, 300],
      [30, 7],
    ],
    name: "uplink.csv",
  };

  test("holds a row until the next one's time and ends at the last one's, whose value is not used", () => {
    const link = bandwidth(options);
    expect([0, 9.99, 10, 29.99].map((time) => link.at(time))).toEqual([100, 100, 300, 300]);
    expect([0, 10, 29, 30].map((time) => link.nextChange(time))).toEqual([
      10,
      30,
      30,
      Number.POSITIVE_INFINITY,
    ]);
    expect(resolveTrace(options, "trace")).toMatchObject({
      length: 30,
      least: 100,
      most: 300,
      mean: 7000 / 30,
    });
  });

  test("rows of equal bandwidth are one: nothing changes between them", () => {
    const points = [
      [0, 5],
      [1, 5],
      [2, 7],
      [3, 7],
      [4, 7],
    ] as const;
    const link = bandwidth({ points, repeat: true });
    expect([0, 1.5, 2, 3.5].map((time) => [link.at(time), link.nextChange(time)])).toEqual([
      [5, 2],
      [5, 2],
      [7, 4],
      [7, 4],
    ]);
    expect(resolveTrace({ points }, "trace")).toMatchObject({ rows: 5, length: 4, mean: 6 });
  });

  test("after the end: an error that says what to do, or the beginning again", () => {
    expect(() => bandwidth(options, 3, 4).at(31)).toThrow(
      'The bandwidth trace "uplink.csv" of the link from node 3 to node 4 ends at 30 s, but at simulated time 31 s a transfer still has bytes to move. Give a longer trace, or let it start over, as by network.trace.repeat=true.',
    );
    const link = bandwidth({ ...options, repeat: true });
    expect([30, 40, 59, 60, 300_010].map((time) => link.at(time))).toEqual([100, 300, 300, 100, 300]);
    expect([30, 40, 59].map((time) => link.nextChange(time))).toEqual([40, 60, 60]);
  });

  test("shifted: each link begins at a moment of its own, both directions alike", () => {
    const shifted = { ...options, repeat: true, shift: true };
    const changes = (source: number, target: number): number =>
      bandwidth(shifted, source, target).nextChange(0);
    expect(changes(0, 1)).toBe(changes(1, 0));
    expect(new Set([changes(0, 1), changes(0, 2), changes(1, 2), 10]).size).toBe(4);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (time) => {
        const link = bandwidth(shifted);
        expect(link.at(time + 30 * 2 ** 12)).toBeOneOf([100, 300]);
        expect(link.at(time)).toBeOneOf([100, 300]);
      }),
    );
  });

  test.each<[Partial<TraceOptions>, string]>([
    [{ points: [[0, 1]] }, 'Option "network.trace": expected two or more points'],
    [
      {
        points: [
          [1, 1],
          [2, 1],
        ],
      },
      'Option "network.trace.points[0]": expected the time 0 at the beginning, got [1,1].',
    ],
    [
      {
        points: [
          [0, 1],
          [2, 1],
          [2, 5],
        ],
      },
      'Option "network.trace.points[2]": expected a time after 2 s, got [2,5].',
    ],
    [
      {
        points: [
          [0, -1],
          [2, 1],
        ],
      },
      'Option "network.trace.points[0]": expected bytes per second of at least 0, got [0,-1].',
    ],
    [
      {
        points: [
          [0, Number.NaN],
          [2, 1],
        ],
      },
      'Option "network.trace.points[0]": expected [seconds, bytes per second], two numbers, got [0,null].',
    ],
    [
      {
        points: [
          [0, 0],
          [2, 1],
        ],
      },
      "expected a bandwidth above 0 at some time, got 0 from beginning to end.",
    ],
    [{ shift: true }, 'Option "network.trace.shift" needs network.trace.repeat'],
  ])("bad input %j is refused", (change, message) => {
    expect(() => bandwidth({ ...options, ...change })).toThrow(message);
  });
});

describe("a trace as text", () => {
  test("comments, a header, empty lines, spaces, a byte order mark and Windows line ends are no rows", () => {
    const text =
      "\uFEFF# measured in May\r\ntime, bytes/s\r\n\r\n0, 1e6\r\n 1.5 ,2000000\r\n# the end\r\n3,0\r\n";
    expect(parseTrace(text, "a.csv")).toEqual([
      [0, 1e6],
      [1.5, 2e6],
      [3, 0],
    ]);
  });

  test("any trace that is written is read again", () => {
    const rows = fc.array(
      fc.tuple(
        fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 1e12, noNaN: true }),
      ),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(rows, (lengths) => {
        const points = [[0, 5]];
        for (const [length, value] of lengths) points.push([points.at(-1)![0]! + length, value]);
        fc.pre(points.every(([at], i) => i === 0 || at! > points[i - 1]![0]!));
        expect(parseTrace(points.map((row) => row.join(", ")).join("\n"), "a.csv")).toEqual(points);
      }),
    );
  });

  test.each([
    [
      "0,1\n1,x\n2,1",
      'Bandwidth trace "a.csv", line 2: expected two numbers, seconds, bytes per second, got "1,x".',
    ],
    ["0,1\n\n1,2,3", 'line 3: expected two numbers, seconds, bytes per second, got "1,2,3".'],
    ["0,1\n5,2\n4,3", 'line 3: expected a time after 5 s, got "4,3".'],
    ["time,bytes/s\n1,2", 'line 2: expected the time 0 at the beginning, got "1,2".'],
    [
      "0,1\n\u001b[31mred,5",
      String.raw`line 2: expected two numbers, seconds, bytes per second, got "\u001b[31mred,5"`,
    ],
    ["0,1\n1,-2", 'line 2: expected bytes per second of at least 0, got "1,-2".'],
    [
      "0,1\ntime,bytes/s\n1,2",
      'line 2: expected two numbers, seconds, bytes per second, got "time,bytes/s".',
    ],
    ["0,1e999\n1,1", 'line 1: expected two numbers, seconds, bytes per second, got "0,1e999".'],
    ["0,\n1,1", 'line 1: expected two numbers, seconds, bytes per second, got "0,".'],
    [`0,${"9".repeat(200)}x\n1,1`, `got "0,${"9".repeat(78)}…".`],
    [
      "0,1",
      'Bandwidth trace "a.csv": expected two or more rows "seconds,bytes per second", the last of which is the end, got 1.',
    ],
    ["", "got 0."],
  ])("%j is refused by its line", (text, message) => {
    expect(() => parseTrace(text, "a.csv")).toThrow(message);
  });
});
