// Reads back what trackers keep, as the programs that show it do: metrics by name and step. A step that is there twice is
// an error, except in TensorBoard's files, where a later session replaces steps of an earlier one.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BinaryReader, type WireType } from "@bufbuild/protobuf/wire";
import { recordsIn } from "../node/trackers/wandbLog.ts";
import type { MlflowRun } from "./mlflowServer.ts";

/** By name, then by step. */
export type Metrics = Record<string, Record<number, number>>;

function add(metrics: Metrics, name: string, step: number, value: number): void {
  const steps = metrics[name] ?? {};
  metrics[name] = steps;
  if (step in steps) throw new Error(`${name} of step ${step} is there twice`);
  steps[step] = value;
}

/** The fields of a message: number and raw value, the caller knows the type. */
function* fieldsOf(data: Uint8Array): Generator<readonly [field: number, read: BinaryReader]> {
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    const start = reader.pos;
    reader.skip(wire as WireType, field);
    yield [field, new BinaryReader(data.subarray(start, reader.pos))];
  }
}

const only = (data: Uint8Array, wanted: number): BinaryReader | undefined =>
  [...fieldsOf(data)].find(([field]) => field === wanted)?.[1];

/** Event files of one directory in the order of their names. */
export function readTensorBoard(directory: string): Metrics {
  let metrics: Metrics = {};
  const files = readdirSync(directory).filter((name) => name.startsWith("events.out.tfevents."));
  for (const name of files.sort()) {
    const file = readFileSync(join(directory, name));
    for (let at = 0; at < file.length; ) {
      const length = Number(file.readBigUInt64LE(at));
      metrics = takeEvent(metrics, file.subarray(at + 12, at + 12 + length));
      at += length + 16;
    }
  }
  return metrics;
}

function takeEvent(metrics: Metrics, event: Uint8Array): Metrics {
  const step = Number(only(event, 2)?.int64() ?? 0);
  if (only(event, 7) !== undefined) return before(metrics, step);
  const summary = only(event, 5)?.bytes() ?? new Uint8Array();
  for (const [, value] of fieldsOf(summary)) {
    const data = value.bytes();
    add(metrics, only(data, 1)!.string(), step, only(data, 2)!.float());
  }
  return metrics;
}

const before = (metrics: Metrics, step: number): Metrics =>
  Object.fromEntries(
    Object.entries(metrics).map(([name, steps]) => [
      name,
      Object.fromEntries(Object.entries(steps).filter(([at]) => Number(at) < step)),
    ]),
  );

/** The history rows of the only run in a directory's `wandb`. */
export function readWandb(directory: string): Metrics {
  const home = join(directory, "wandb");
  const [own, ...others] = readdirSync(home).filter((name) => name.startsWith("offline-run-"));
  if (own === undefined || others.length > 0) throw new Error(`expected one run in ${home}`);
  const file = readdirSync(join(home, own)).find((name) => name.endsWith(".wandb"))!;
  const metrics: Metrics = {};
  recordsIn(readFileSync(join(home, own, file))).forEach(({ data }, i) => {
    if (Number(only(data, 1)!.int64()) !== i + 1) throw new Error(`record ${i + 1} has another number`);
    const history = only(data, 2)?.bytes();
    if (history !== undefined) takeHistory(metrics, history);
  });
  return metrics;
}

function takeHistory(metrics: Metrics, history: Uint8Array): void {
  const step = Number(only(only(history, 2)!.bytes(), 1)!.int64());
  for (const [field, item] of fieldsOf(history)) {
    if (field !== 1) continue;
    const data = item.bytes();
    const name = only(data, 2)!.string();
    if (!name.startsWith("_")) add(metrics, name, step, Number(only(data, 16)!.string()));
  }
}

export function readMlflow({ metrics: kept }: MlflowRun): Metrics {
  const metrics: Metrics = {};
  for (const { key, value, step } of kept) add(metrics, key, step, Number(value));
  return metrics;
}
