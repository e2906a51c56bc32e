// What rankProcess.ts starts: one rank that does as it is asked. It ends by itself once nothing is left open.

import { messageOf } from "@atoll/core";
import { joinTcpWorld } from "../tcpWorld.ts";
import type { Place, Task } from "./rankProcess.ts";
import { worldOptions } from "./tcpFixture.ts";
import { live } from "./turns.ts";

const { rank, worldSize, port, ...times } = JSON.parse(process.argv[2]!) as Place;
const world = await joinTcpWorld(worldOptions(rank, worldSize, port, times));

async function answer(task: Task): Promise<unknown> {
  if (task.kind === "live") return live(world.communicator, task.turns, task.seed);
  if (task.kind === "end") {
    await world[Symbol.asyncDispose]();
    process.disconnect();
    return undefined;
  }
  if (task.epoch !== undefined) world.advance(task.epoch);
  const x = new Float32Array(task.length).fill(1);
  const { communicator } = world;
  try {
    await (task.ranks === undefined ? communicator : communicator.group(task.ranks)).allReduce(x);
    return x[0];
  } catch (error) {
    return messageOf(error);
  }
}

process.on("message", async (task: Task) => {
  const value = await answer(task);
  if (process.connected) process.send!({ value });
});
process.send!({ value: "joined" });
