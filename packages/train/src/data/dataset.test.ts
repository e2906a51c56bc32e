import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { exampleShape, gather, tableDataset, whole, windowsDataset } from "./dataset.ts";

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 0, maxLength: 3 });

/** A table of random bytes or floats, and indices into it. */
const tables = fc
  .record({
    size: fc.integer({ min: 1, max: 20 }),
    xShape: shapes,
    bytes: fc.boolean(),
    scale: fc.double({ min: -2, max: 2, noNaN: true }),
    shift: fc.double({ min: -2, max: 2, noNaN: true }),
  })
  .chain((options) => {
    const width = options.xShape.reduce((product, length) => product * length, 1);
    return fc.record({
      options: fc.constant(options),
      raw: fc.array(fc.integer({ min: 0, max: 255 }), {
        minLength: options.size * width,
        maxLength: options.size * width,
      }),
      labels: fc.array(fc.integer({ min: 0, max: 9 }), {
        minLength: options.size,
        maxLength: options.size,
      }),
      indices: fc.array(fc.integer({ min: 0, max: options.size - 1 }), { maxLength: 8 }),
      width: fc.constant(width),
    });
  });

test("gather writes raw · scale + shift of the chosen rows, and their labels", () => {
  fc.assert(
    fc.property(tables, ({ options, raw, labels, indices, width }) => {
      const { bytes, scale, shift, xShape } = options;
      const dataset = tableDataset({
        name: "t",
        x: bytes ? Uint8Array.from(raw) : Float32Array.from(raw),
        xShape,
        y: Int32Array.from(labels),
        scale,
        shift,
      });
      const x = new Float32Array(indices.length * width);
      const y = new Int32Array(indices.length);
      gather(dataset.source, Uint32Array.from(indices), x, y);
      const expected = indices.flatMap((i) => raw.slice(i * width, (i + 1) * width));
      expect(x).toEqual(Float32Array.from(expected, (value) => value * scale + shift));
      expect(y).toEqual(Int32Array.from(indices, (i) => labels[i]!));
    }),
  );
});

test("a window's targets are its tokens one place on", () => {
  const text = fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(text, fc.nat(), fc.array(fc.nat(), { maxLength: 6 }), (tokens, length, picks) => {
      const blockSize = 1 + (length % (tokens.length - 1));
      const dataset = windowsDataset({
        name: "w",
        tokens: Uint16Array.from(tokens),
        blockSize,
      });
      expect(dataset.size).toBe(tokens.length - blockSize);
      const indices = Uint32Array.from(picks, (pick) => pick % dataset.size);
      const x = new Int32Array(indices.length * blockSize);
      const y = new Int32Array(indices.length * blockSize);
      gather(dataset.source, indices, x, y);
      expect([...x]).toEqual([...indices].flatMap((i) => tokens.slice(i, i + blockSize)));
      expect([...y]).toEqual([...indices].flatMap((i) => tokens.slice(i + 1, i + 1 + blockSize)));
    }),
  );
});

test("a data set is plain data in shared memory: posting it copies nothing", () => {
  const { source } = tableDataset({
    name: "t",
    x: Buffer.from([1, 2, 3, 4]),
    xShape: [2],
    y: Int32Array.of(0, 1),
  });
  const posted = structuredClone(source);
  if (source.kind !== "table" || posted.kind !== "table") throw new Error("expected tables");
  posted.x[0] = 9;
  posted.y[1] = 7;
  expect([...source.x]).toEqual([9, 2, 3, 4]);
  expect([...source.y]).toEqual([0, 7]);
});

test("example shapes name what a batch is made of", () => {
  const table = tableDataset({ name: "t", x: new Float32Array(12), xShape: [2, 3], y: new Int32Array(2) });
  expect(exampleShape(table.source)).toEqual({
    x: { shape: [2, 3], dtype: "float32" },
    y: { shape: [], dtype: "int32" },
  });
  expect(whole(table).indices).toEqual(Uint32Array.of(0, 1));
});

test.each([
  [{ x: new Uint8Array(7), xShape: [2], y: new Int32Array(3) }, /3 labels .* need 6 values in x, got 7/],
  [{ x: new Uint8Array(0), xShape: [2], y: new Int32Array(0) }, /no examples/],
  [{ x: new Uint8Array(2), xShape: [1], y: Int32Array.of(0, -1) }, /from 0 to 0, got -1/],
  [{ x: new Uint8Array(2), xShape: [1], y: Int32Array.of(0, 3), classes: 3 }, /from 0 to 2, got 3/],
])("a table that does not fit together is refused (%#)", (table, message) => {
  expect(() => tableDataset({ name: "t", ...table })).toThrow(ConfigError);
  expect(() => tableDataset({ name: "t", ...table })).toThrow(message);
});

test("a text too short for one window is refused with the numbers", () => {
  const options = { name: "w", tokens: new Uint16Array(8) };
  expect(windowsDataset({ ...options, blockSize: 7 }).size).toBe(1);
  expect(() => windowsDataset({ ...options, blockSize: 8 })).toThrow(
    /holds 8 tokens, but blockSize 8 needs at least 9/,
  );
  expect(() => windowsDataset({ ...options, blockSize: 0 })).toThrow(ConfigError);
});
