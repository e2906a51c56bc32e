export type { OrderedSum, VectorArithmetic } from "./arithmetic.ts";
export type { Codec, CodedReduction } from "./codec.ts";
export { transcode } from "./codec.ts";
export type { Int8Options } from "./codecs/int8.ts";
export { int8 } from "./codecs/int8.ts";
export type { Call, ReduceOp } from "./collective.ts";
export { scheduleOf } from "./collective.ts";
export type {
  AllReduceOptions,
  Communicator,
  GatherOptions,
  Handle,
  Message,
  ReducedOptions,
  ReduceOptions,
  SendOptions,
  StartedCalls,
} from "./communicator.ts";
export type { Disruption, Disruptions, Undertaking } from "./disruptions.ts";
export { PeerLostError } from "./disruptions.ts";
export type { Trace } from "./interpret.ts";
export { evaluate, trace } from "./interpret.ts";
export type { Action, Members, Round, Schedule } from "./schedule.ts";
export { bytesSentBy } from "./schedule.ts";
export type { AllReduceAlgorithm, AllReduceChoice } from "./schedules/allReduce.ts";
export { ALL_REDUCE_ALGORITHMS, ALL_REDUCE_CHOICES } from "./schedules/allReduce.ts";
export { createSimulatedWorld } from "./simulated.ts";
export type { CommunicationTimes, SimulatedWorld, SimulatedWorldOptions } from "./simulatedWorld.ts";
