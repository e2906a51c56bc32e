// A strategy of one's own in a screen: distributed data parallel whose gradients travel as 8-bit integers.
//
//   npx node examples/custom-strategy.ts

import { createRandom, formatBytes } from "@atoll/core";
import { adamW } from "@atoll/tensor";
import { ddp, digits, type GradientStrategy, mlp } from "@atoll/train";
import { LocalTrainer } from "@atoll/train/node";

// Signed integers and one scale a message. The communicator sums decoded floats: integers would overflow.
const int8 = {
  name: "int8",
  bytes: (length: number) => 4 + length,
  encode(x: Float32Array): Uint8Array {
    const message = new DataView(new ArrayBuffer(4 + x.length));
    const scale = x.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30) / 127;
    message.setFloat32(0, scale);
    x.forEach((value, i) => void message.setInt8(4 + i, Math.round(value / scale)));
    return new Uint8Array(message.buffer);
  },
  decode(encoded: Uint8Array, out: Float32Array): void {
    const message = new DataView(encoded.buffer, encoded.byteOffset);
    for (let i = 0; i < out.length; i++) out[i] = message.getInt8(4 + i) * message.getFloat32(0);
  },
};

const int8Ddp: GradientStrategy = {
  kind: "gradient",
  name: "int8-ddp",
  config: { kind: "int8-ddp" }, // goes into config.json
  optimizer: adamW({ learningRate: 1e-3 }),
  validate() {}, // any number of nodes will do
  init: () => ({ tensors: {}, values: {} }), // what is remembered from step to step, and saved in checkpoints
  exchange: ({ communicator, gradients }) => communicator.allReduce(gradients, { op: "mean", codec: int8 }),
};

const { train, test } = digits({ trainSize: 12_000, testSize: 2_000, random: createRandom(1) });
const trainer = new LocalTrainer({ model: mlp(), train, validation: test });
for (const strategy of [int8Ddp, ddp({ optimizer: int8Ddp.optimizer })]) {
  const { evaluation, bytesSent } = await trainer.fit({ strategy, nodes: 4, maxSteps: 100, batchSize: 32 });
  const loss = evaluation!.loss.global.toFixed(3);
  console.log(`${strategy.name}: loss ${loss}, ${formatBytes(bytesSent[0]!)} sent by a node`);
}
