// Atoll as a library: federated averaging on three machines in a ring over a wide-area network.
//
//   npx node examples/library.ts

import { createRandom, formatBytes, formatSeconds } from "@atoll/core";
import { adamW } from "@atoll/tensor";
import { digits, fedAvg, mlp } from "@atoll/train";
import { LocalTrainer } from "@atoll/train/node";

const { train, test } = digits({ trainSize: 12_000, testSize: 2_000, random: createRandom(1) });

const result = await new LocalTrainer({ model: mlp(), train, validation: test }).fit({
  strategy: fedAvg({ H: 20, optimizer: adamW({ learningRate: 1e-3 }) }),
  nodes: 3,
  maxSteps: 300,
  batchSize: 64,
  network: { profile: "wan", topology: "ring" },
});

const [sent] = result.bytesSent;
console.log(
  `accuracy   ${(100 * result.evaluation!.accuracy!.global).toFixed(1)} % on ${test.size} test images`,
);
console.log(
  `simulated  ${formatSeconds(result.simulatedSeconds)}, of them computing ${formatSeconds(result.nodes[0]!.compute)}`,
);
console.log(`sent       ${formatBytes(sent!)} a node`);
console.log(`measured   ${formatSeconds(result.wallSeconds)} on this machine`);
