// What a node that is a process keeps of its rounds, for others to begin them, too.

import { type Communicator, PeerLostError } from "@atoll/comm";
import { seconds } from "@atoll/core";
import type { VectorLayout } from "@atoll/tensor";
import { expect, test } from "vitest";
import type { NodeMemory } from "../../faults/nodeMemory.ts";
import { replicaLayout, replicaOver } from "../../replica.ts";
import { ProcessLife } from "./processLife.ts";

interface Rig {
  readonly life: ProcessLife;
  readonly memory: NodeMemory;
  /** Whether the node has waited for all of its calls. */
  isSettled: boolean;
}

function rigOf(keeps: boolean): Rig {
  const vector = (size: number): VectorLayout => ({ size, matrixSize: 0, entries: [] });
  const layout = replicaLayout(vector(2), vector(0), ["momentum"]);
  const memory: NodeMemory = {
    replica: replicaOver(layout, new Float32Array(layout.length)),
    strategyState: { tensors: { anchor: new Float32Array(2) }, values: { rounds: 0 } },
    recordMemory: {},
  };
  const world = {
    communicator: {} as Communicator,
    advance: () => {},
    callsMade: () => 3,
    withdraw: () => {},
    isSettled: () => rig.isSettled,
    keepOverlapping: () => {},
    forgetOverlapping: () => {},
    beginAgain: async () => {},
  };
  const rig: Rig = { life: new ProcessLife(world, memory, { keeps }), memory, isSettled: true };
  return rig;
}

function learn({ replica, strategyState }: NodeMemory, value: number): void {
  replica.parameters.fill(value);
  replica.slots.momentum!.fill(value);
  strategyState.tensors.anchor!.fill(value);
  strategyState.values.rounds = value;
}

const remembered = ({ replica, strategyState }: NodeMemory): readonly unknown[] => [
  [...replica.parameters],
  [...replica.slots.momentum!],
  [...strategyState.tensors.anchor!],
  { ...strategyState.values },
];

const all = (value: number): readonly unknown[] => [
  [value, value],
  [value, value],
  [value, value],
  { rounds: value },
];

const lost = (): never => {
  throw new PeerLostError("allReduce()", [0, 1], { lost: [1], at: seconds(0) });
};

test("a node that stands in an exchange hands on what it began the round with, and goes on with what it has", async () => {
  const { life, memory } = rigOf(true);
  learn(memory, 1);
  life.boundary(20);
  learn(memory, 2);
  let isFirst = true;
  const exchange = life.exchange(25, async () => {
    learn(memory, 3);
    if (isFirst) {
      isFirst = false;
      lost();
    }
  });
  await life.broken;
  expect(life.begin).toEqual({ step: 20, calls: 3 });
  expect(life.asAtBegin(() => remembered(memory))).toEqual(all(1));
  expect(remembered(memory)).toEqual(all(2));
  life.goOn();
  await exchange;
  expect(remembered(memory)).toEqual(all(3));
});

test("it keeps nothing where calls are under way, nor where nobody would ask for it", () => {
  const rig = rigOf(true);
  rig.life.boundary(1);
  rig.isSettled = false;
  rig.life.boundary(2);
  expect(rig.life.begin).toBeUndefined();
  const { life } = rigOf(false);
  life.boundary(1);
  expect(life.begin).toBeUndefined();
});
