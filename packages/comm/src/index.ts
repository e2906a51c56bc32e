export type { Call, ReduceOp } from "./collective.ts";
export { scheduleOf } from "./collective.ts";
export type { AllReduceOptions, Communicator } from "./communicator.ts";
export type { Trace } from "./interpret.ts";
export { evaluate, trace } from "./interpret.ts";
export type { Action, Members, Round, Schedule } from "./schedule.ts";
export type { CommunicationTimes, SimulatedWorld, SimulatedWorldOptions } from "./simulated.ts";
export { createSimulatedWorld } from "./simulated.ts";
