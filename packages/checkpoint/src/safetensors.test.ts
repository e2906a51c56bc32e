import { readFileSync } from "node:fs";
import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
import { type HostTensor, toHostTensor } from "./tensors.ts";

const concat = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

const bytesOf = ({ data }: HostTensor): readonly number[] => [
  ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
];

/** Tensors of every type, with any bits: NaNs of all kinds, −0, subnormals; scalars and empty ones too. */
const tensors: fc.Arbitrary<HostTensor> = fc
  .tuple(fc.array(fc.nat({ max: 3 }), { maxLength: 3 }), fc.constantFrom("f", "i", "u", "b"), fc.nat())
  .chain(([shape, type, seed]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const words = fc.array(fc.nat({ max: 2 ** 32 - 1 }), { minLength: length, maxLength: length });
    return words.map((values): HostTensor => {
      const bits = Uint32Array.from(values, (value, i) => (i === 0 ? seed : value));
      if (type === "f") return { shape, data: new Float32Array(bits.buffer) };
      if (type === "i") return { shape, data: new Int32Array(bits.buffer) };
      return { shape, data: type === "u" ? bits : Uint8Array.from(bits) };
    });
  });

const names = fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => name !== "__metadata__");
const dictionary = fc.dictionary(names, tensors, { maxKeys: 6 });

test("what is encoded is decoded bit for bit, from any place in memory", () => {
  const texts = fc.dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }));
  fc.assert(
    fc.property(dictionary, texts, fc.nat({ max: 9 }), (named, metadata, shift) => {
      const file = concat([new Uint8Array(shift), ...encodeSafetensors(named, metadata)]).subarray(shift);
      const decoded = decodeSafetensors(file, "test");
      expect(decoded.metadata).toEqual(metadata);
      expect(Object.keys(decoded.tensors).sort()).toEqual(Object.keys(named).sort());
      for (const [name, tensor] of Object.entries(named)) {
        const found = toHostTensor(decoded.tensors[name]!, name);
        expect(found.shape).toEqual(tensor.shape);
        expect(found.data.constructor).toBe(tensor.data.constructor);
        expect(bytesOf(found)).toEqual(bytesOf(tensor));
      }
    }),
  );
});

test("a file cut short anywhere, or with bytes after its end, is refused by name", () => {
  fc.assert(
    fc.property(dictionary, fc.nat(), (named, cut) => {
      const file = concat(encodeSafetensors(named));
      expect(() => decodeSafetensors(file.subarray(0, cut % file.length), "x.safetensors")).toThrow(
        /^x\.safetensors is not a whole safetensors file: .*got/s,
      );
      expect(() => decodeSafetensors(concat([file, Uint8Array.of(0)]), "x")).toThrow(/got 1 bytes more/);
    }),
  );
});

test("a damaged header is a ConfigError or another valid header, never anything else", () => {
  const base = concat(
    encodeSafetensors({
      weight: { shape: [2, 2], data: new Float32Array(4) },
      b: { shape: [], data: Int32Array.of(1) },
    }),
  );
  fc.assert(
    fc.property(fc.nat({ max: base.length - 21 }), fc.nat({ max: 255 }), (at, value) => {
      const file = Uint8Array.from(base);
      file[at] = value;
      try {
        decodeSafetensors(file, "x");
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
      }
    }),
    { numRuns: 2000 },
  );
});

describe("against the reference implementation", () => {
  // golden/numpy.safetensors was written by the Python package safetensors 0.8.0 (safetensors.numpy.save_file).
  const golden = new Uint8Array(readFileSync(new URL("golden/numpy.safetensors", import.meta.url)));
  const { tensors: found, metadata } = decodeSafetensors(golden, "golden");

  test("its file is read", () => {
    expect(metadata).toEqual({ "made by": "safetensors for Python" });
    const weight = toHostTensor(found.weight!, "weight");
    expect(weight.shape).toEqual([2, 3]);
    expect([...weight.data]).toEqual([
      0,
      -0,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -Math.fround(1.4e-45),
    ]);
    expect(toHostTensor(found.scalar!, "scalar")).toEqual({ shape: [], data: Float32Array.of(3.25) });
    expect(toHostTensor(found.empty!, "empty")).toEqual({ shape: [0, 4], data: new Float32Array(0) });
    expect(toHostTensor(found.steps!, "steps").data).toEqual(Int32Array.of(-1, 2 ** 31 - 1));
    expect(toHostTensor(found.keys!, "keys").data).toEqual(Uint32Array.of(0, 2 ** 32 - 1));
    expect(toHostTensor(found.pixels!, "pixels").data).toEqual(Uint8Array.of(0, 255, 7));
    expect(found.mask).toMatchObject({ dtype: "BOOL", bytes: Uint8Array.of(1, 0, 1) });
    expect(found.half).toMatchObject({ dtype: "F16", bytes: Uint8Array.of(0, 0x3c, 0, 0xc0) });
    expect(found.big).toMatchObject({ dtype: "I64", shape: [1] });
    expect(Object.keys(found)).toContain("grüße");
    expect(() => toHostTensor(found.half!, "half")).toThrow(/half: expected .*, got F16/);
  });

  test("written again it is the same file, byte for byte", () => {
    expect(concat(encodeSafetensors(found, metadata))).toEqual(golden);
  });
});

describe("a header that lies is refused with tensor and byte", () => {
  const file = (header: unknown, data: number): Uint8Array => {
    const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(json.length));
    return concat([start, json, new Uint8Array(data)]);
  };
  const tensor = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });
  const huge = new Uint8Array(100);
  huge.fill(0xff, 0, 8);
  test.each([
    ["nothing at all", new Uint8Array(3), /header length of 8 bytes.*byte 3/],
    ["a header too long", huge, /at most 100000000 bytes, got a length of 18446744073709551615/],
    ["text that is no JSON", file("{nonsense", 0), /byte 8: expected a header in JSON/],
    ["a header that is a list", file([], 0), /byte 8: expected a JSON object/],
    ["an unknown dtype", file({ w: tensor("F7", [1], 0, 4) }, 4), /tensor "w": expected a dtype .* got "F7"/],
    ["a dtype from Object", file({ w: tensor("toString", [1], 0, 4) }, 4), /tensor "w": expected a dtype/],
    ["a negative length", file({ w: tensor("F32", [-1], 0, 4) }, 4), /tensor "w": expected a shape/],
    ["no offsets", file({ w: { dtype: "F32", shape: [1] } }, 4), /tensor "w": expected data_offsets/],
    ["offsets backwards", file({ w: tensor("F32", [1], 4, 0) }, 4), /tensor "w": expected data_offsets/],
    [
      "offsets that do not fit the shape",
      file({ w: tensor("F32", [2], 0, 4) }, 4),
      /tensor "w": expected data_offsets of 8 bytes for F32 \[2\], got \[0,4\]/,
    ],
    [
      "an overlap",
      file({ a: tensor("F32", [1], 0, 4), b: tensor("F32", [1], 2, 6) }, 6),
      /tensor "b": expected its data at byte \d+, where the one before ends/,
    ],
    ["a hole", file({ a: tensor("U8", [1], 1, 2) }, 2), /tensor "a": expected its data at byte/],
    ["data beyond the end", file({ a: tensor("F32", [2], 0, 8) }, 4), /tensor "a": expected data up to byte/],
    [
      "metadata that is no text",
      file({ __metadata__: { a: 1 } }, 0),
      /__metadata__: expected an object of texts/,
    ],
  ])("%s", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, "x")).toThrow(ConfigError);
    expect(() => decodeSafetensors(bytes, "x")).toThrow(message);
  });
});
