// The communicator over TCP, for runs whose ranks are processes.

export type { RealClock } from "./calls.ts";
export type { CollectivePart } from "./collectiveCall.ts";
export type { ControlChannel, ControlMessage } from "./control.ts";
export type { SystemShaping, SystemShapingOptions } from "./systemShaping.ts";
export { shapeBySystem } from "./systemShaping.ts";
export type { Loss, Shaping, TcpWorld, TcpWorldOptions } from "./tcpWorld.ts";
export { joinTcpWorld } from "./tcpWorld.ts";
export type {
  Ended,
  KernelOffers,
  RunCommand,
  TrafficControl,
  TrafficControlOptions,
} from "./trafficControl.ts";
export { probeTrafficControl, trafficControl } from "./trafficControl.ts";
