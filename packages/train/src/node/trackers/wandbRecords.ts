// The records of a W&B run file: the messages of wandb_internal.proto that an offline run needs, by their published field
// numbers. A file is: header, run, then history rows and summaries, at the end an exit; without the exit a sync marks
// the run as failed.

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { MetricRow } from "./tracker.ts";

const RECORD = { num: 1, history: 2, summary: 3, run: 17, exit: 18, header: 21 } as const;
const HEADER = { versionInfo: 1 } as const;
const VERSION = { producer: 1, minConsumer: 2 } as const;
const RUN = {
  runId: 1,
  entity: 2,
  project: 3,
  config: 4,
  group: 6,
  displayName: 8,
  notes: 9,
  tags: 10,
  host: 13,
  startTime: 17,
} as const;
const CONFIG_UPDATE = 1;
const TIMESTAMP = { seconds: 1, nanos: 2 } as const;
const HISTORY = { item: 1, step: 2 } as const;
const STEP_NUM = 1;
const SUMMARY_UPDATE = 1;
/** Of a config, history or summary item alike. */
const ITEM = { key: 1, nestedKey: 2, valueJson: 16 } as const;
const EXIT = { code: 1, runtime: 2 } as const;

/** The oldest client that reads such a file, as the official client states it. */
const MIN_CONSUMER = "0.70.0";

type Fill = (message: BinaryWriter) => BinaryWriter;

const message = (writer: BinaryWriter, field: number, fill: Fill): BinaryWriter =>
  fill(writer.tag(field, WireType.LengthDelimited).fork()).join();

const text = (writer: BinaryWriter, field: number, value: string | undefined): BinaryWriter =>
  value === undefined ? writer : writer.tag(field, WireType.LengthDelimited).string(value);

const integer = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int64(value);

const record = (num: number, field: number, fill: Fill): Uint8Array =>
  message(integer(new BinaryWriter(), RECORD.num, num), field, fill).finish();

export const headerRecord = (num: number, producer: string): Uint8Array =>
  record(num, RECORD.header, (header) =>
    message(header, HEADER.versionInfo, (version) =>
      text(text(version, VERSION.producer, producer), VERSION.minConsumer, MIN_CONSUMER),
    ),
  );

export interface WandbRun {
  readonly runId: string;
  readonly entity: string | undefined;
  readonly project: string;
  readonly group: string | undefined;
  readonly displayName: string;
  readonly tags: readonly string[];
  readonly host: string;
  readonly startMs: number;
  /** By top-level name, each as JSON. */
  readonly config: readonly (readonly [name: string, json: string])[];
}

export const runRecord = (num: number, run: WandbRun): Uint8Array =>
  record(num, RECORD.run, (writer) => {
    text(writer, RUN.runId, run.runId);
    text(writer, RUN.entity, run.entity);
    text(writer, RUN.project, run.project);
    message(writer, RUN.config, (config) => {
      for (const [name, json] of run.config)
        message(config, CONFIG_UPDATE, (item) => text(text(item, ITEM.key, name), ITEM.valueJson, json));
      return config;
    });
    text(writer, RUN.group, run.group);
    text(writer, RUN.displayName, run.displayName);
    for (const tag of run.tags) text(writer, RUN.tags, tag);
    text(writer, RUN.host, run.host);
    return message(writer, RUN.startTime, (time) =>
      integer(
        integer(time, TIMESTAMP.seconds, Math.floor(run.startMs / 1000)),
        TIMESTAMP.nanos,
        Math.floor((run.startMs % 1000) * 1e6),
      ),
    );
  });

/** The values of a row with the columns that W&B keeps of each, as JSON; NaN and infinities are written as Python does. */
function itemsOf(
  { step, wallMs, values }: MetricRow,
  startMs: number,
): readonly (readonly [string, string])[] {
  return Object.entries({
    ...values,
    _step: step,
    _timestamp: wallMs / 1000,
    _runtime: Math.max(0, (wallMs - startMs) / 1000),
  }).map(([name, value]) => [name, String(value)]);
}

export const historyRecord = (num: number, row: MetricRow, startMs: number): Uint8Array =>
  record(num, RECORD.history, (history) => {
    for (const item of itemsOf(row, startMs)) addItem(history, HISTORY.item, item);
    return message(history, HISTORY.step, (step) => integer(step, STEP_NUM, row.step));
  });

export const summaryRecord = (num: number, row: MetricRow, startMs: number): Uint8Array =>
  record(num, RECORD.summary, (summary) => {
    for (const item of itemsOf(row, startMs)) addItem(summary, SUMMARY_UPDATE, item);
    return summary;
  });

const addItem = (
  writer: BinaryWriter,
  field: number,
  [name, json]: readonly [string, string],
): BinaryWriter =>
  message(writer, field, (item) => text(text(item, ITEM.nestedKey, name), ITEM.valueJson, json));

export const exitRecord = (num: number, code: number, runtimeSeconds: number): Uint8Array =>
  record(num, RECORD.exit, (exit) =>
    integer(integer(exit, EXIT.code, code), EXIT.runtime, Math.round(runtimeSeconds)),
  );

/** What has to be known of a record to go on after it. */
export type RecordKind =
  | { readonly kind: "history"; readonly step: number }
  | { readonly kind: "summary" | "exit" | "other" };

export function kindOfRecord(data: Uint8Array): RecordKind {
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === RECORD.summary) return { kind: "summary" };
    if (field === RECORD.exit) return { kind: "exit" };
    if (field === RECORD.history) return { kind: "history", step: stepOf(reader.bytes()) };
    reader.skip(wire, field);
  }
  return { kind: "other" };
}

function stepOf(history: Uint8Array): number {
  const reader = new BinaryReader(history);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === HISTORY.step) {
      const step = new BinaryReader(reader.bytes());
      step.tag();
      return Number(step.int64());
    }
    reader.skip(wire, field);
  }
  return 0;
}
