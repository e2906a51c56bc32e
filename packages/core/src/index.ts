export type { ConfigTree, ConfigValue } from "./config.ts";
export type { ExitCode } from "./errors.ts";
export {
  AtollError,
  ConfigError,
  InterruptedError,
  invariant,
  messageOf,
  nearest,
  RunError,
  unknownName,
  unreachable,
} from "./errors.ts";
export type {
  CheckpointSaved,
  CollectiveDone,
  Evaluated,
  EventSink,
  FaultHappened,
  NodeTime,
  NodeWaited,
  Recorded,
  RecordedQuantity,
  RunEvent,
  RunFinished,
  RunStarted,
  StepDone,
  TopologyDrawn,
} from "./events.ts";
export { RECORDED_QUANTITIES } from "./events.ts";
export type { Random, RandomKey, RandomState } from "./random.ts";
export { createRandom, threefry2x32, threefryBlocks } from "./random.ts";
export type { Bytes, BytesPerSecond, Rank, Seconds } from "./units.ts";
export { bytes, bytesPerSecond, formatBytes, formatSeconds, seconds } from "./units.ts";
