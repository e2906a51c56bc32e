// The safetensors format: named tensors in one file, with nothing in it that runs.
// Source: https://github.com/huggingface/safetensors#format: a little-endian 64-bit header length, a JSON header with
// dtype, shape and data_offsets of each tensor, then the tensors' bytes, little-endian, row by row, without gaps.
// This file turns tensors into bytes and back; it opens no files.

import { ConfigError, invariant, messageOf } from "@atoll/core";
import {
  BYTES_PER_ELEMENT,
  type Dtype,
  dtypeOf,
  elementCount,
  type HostTensor,
  type StoredTensor,
} from "./tensors.ts";

export interface Safetensors {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  /** Free text by name: the header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the reference implementation accepts at most; a longer header is a damaged file, not a large model. */
const MAX_HEADER_BYTES = 100_000_000;
const ALIGNMENT = 8;

/**
 * Encodes tensors as the parts of one file, to be written one after the other. The parts after the first are views of
 * the tensors' own memory: nothing is copied. Tensors come largest dtype first, then by name, as the reference
 * implementation orders them, so that each lies aligned to its elements.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, HostTensor | StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): readonly Uint8Array[] {
  const order = Object.keys(BYTES_PER_ELEMENT);
  const entries = Object.entries(tensors)
    .map(([name, tensor]) => ({ name, ...toStored(name, tensor) }))
    .sort((a, b) => order.indexOf(b.dtype) - order.indexOf(a.dtype) || (a.name < b.name ? -1 : 1));
  let offset = 0;
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  for (const { name, dtype, shape, bytes } of entries) {
    header.push([name, { dtype, shape, data_offsets: [offset, offset + bytes.length] }]);
    offset += bytes.length;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerLength = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const start = new Uint8Array(8 + headerLength).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(headerLength), true);
  start.set(json, 8);
  return [start, ...entries.map(({ bytes }) => bytes)];
}

function toStored(name: string, tensor: HostTensor | StoredTensor): StoredTensor {
  invariant(name !== "__metadata__", "a tensor named __metadata__: the format keeps this name");
  const { shape } = tensor;
  const dtype = "dtype" in tensor ? tensor.dtype : dtypeOf(tensor.data);
  const bytes =
    "bytes" in tensor
      ? tensor.bytes
      : new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  const expected = elementCount(shape) * BYTES_PER_ELEMENT[dtype];
  invariant(
    bytes.length === expected,
    `tensor "${name}" of ${dtype} [${shape}] has ${expected} bytes, got ${bytes.length}`,
  );
  return { dtype, shape, bytes };
}

/**
 * Decodes a file; the tensors' bytes are views of `file`.
 * @param where what errors call the file
 * @throws ConfigError that names the file, the tensor and the byte where it is not what the format says.
 */
export function decodeSafetensors(file: Uint8Array, where: string): Safetensors {
  const { header, dataStart } = readHeader(file, where);
  const data = file.subarray(dataStart);
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => ({ name, ...readEntry(name, entry, where) }));
  checkTiling(entries, data.length, dataStart, where);
  const tensors = entries.map(({ name, dtype, shape, begin, end }): [string, StoredTensor] => [
    name,
    { dtype, shape, bytes: data.subarray(begin, end) },
  ]);
  return { tensors: Object.fromEntries(tensors), metadata: readMetadata(header.__metadata__, where) };
}

const broken = (where: string, what: string, cause?: unknown): ConfigError =>
  new ConfigError(`${where} is not a whole safetensors file: ${what}.`, cause);

function readHeader(
  file: Uint8Array,
  where: string,
): { readonly header: Readonly<Record<string, unknown>>; readonly dataStart: number } {
  if (file.length < 8)
    throw broken(
      where,
      `expected a header length of 8 bytes, got the end of the file at byte ${file.length}`,
    );
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES)
    throw broken(
      where,
      `byte 0: expected a header of at most ${MAX_HEADER_BYTES} bytes, got a length of ${length}`,
    );
  const dataStart = 8 + Number(length);
  if (dataStart > file.length)
    throw broken(
      where,
      `byte 8: expected a header of ${length} bytes, got the end of the file at byte ${file.length}`,
    );
  let header: unknown;
  try {
    header = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(file.subarray(8, dataStart))),
    );
  } catch (cause) {
    throw broken(
      where,
      `byte 8: expected a header in JSON, got text that is none (${messageOf(cause)})`,
      cause,
    );
  }
  if (!isRecord(header)) throw broken(where, "byte 8: expected a JSON object as header, got another value");
  return { header, dataStart };
}

interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function readEntry(name: string, entry: unknown, where: string): Omit<Entry, "name"> {
  const fail = (expected: string, got: unknown): ConfigError =>
    broken(where, `tensor "${name}": expected ${expected}, got ${JSON.stringify(got)}`);
  if (!isRecord(entry)) throw fail("an object with dtype, shape and data_offsets", entry);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isDtype(dtype)) throw fail(`a dtype (${Object.keys(BYTES_PER_ELEMENT).join(", ")})`, dtype);
  if (!isCounts(shape)) throw fail("a shape of non-negative integers", shape);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!)
    throw fail("data_offsets [begin, end] with begin ≤ end", offsets);
  const [begin, end] = offsets as [number, number];
  const size = elementCount(shape) * BYTES_PER_ELEMENT[dtype];
  if (end - begin !== size) throw fail(`data_offsets of ${size} bytes for ${dtype} [${shape}]`, [begin, end]);
  return { dtype, shape, begin, end };
}

/** The tensors must cover the data exactly: no overlap, no hole, nothing beyond. Bytes are counted in the file. */
function checkTiling(entries: readonly Entry[], size: number, dataStart: number, where: string): void {
  let covered = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered)
      throw broken(
        where,
        `tensor "${name}": expected its data at byte ${dataStart + covered}, where the one before ends, got ${dataStart + begin}`,
      );
    if (end > size)
      throw broken(
        where,
        `tensor "${name}": expected data up to byte ${dataStart + end}, got the end of the file at byte ${dataStart + size}`,
      );
    covered = end;
  }
  if (covered !== size)
    throw broken(
      where,
      `expected the end of the file at byte ${dataStart + covered}, after the last tensor, got ${size - covered} bytes more`,
    );
}

function readMetadata(value: unknown, where: string): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isRecord(value) || Object.values(value).some((text) => typeof text !== "string"))
    throw broken(where, `__metadata__: expected an object of texts, got ${JSON.stringify(value)}`);
  return value as Record<string, string>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isDtype = (value: unknown): value is Dtype =>
  typeof value === "string" && Object.hasOwn(BYTES_PER_ELEMENT, value);

const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
