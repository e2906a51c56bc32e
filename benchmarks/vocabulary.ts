// What the size of a text's vocabulary costs: a small GPT's step on 16 windows of 128 tokens, for tiny Shakespeare's 65
// characters, the byte pairs that occur in it (and the single bytes), and all of GPT-2's. One worker thread; processor
// time, the least of five steps; each size in a process of its own, for its memory.

import { execFileSync } from "node:child_process";
import { createRandom } from "@atoll/core";
import { adamW, layoutOf, pack } from "@atoll/tensor";
import { gpt, windowsDataset } from "@atoll/train";
import { startWorkers, workerThreads } from "@atoll/train/node";
import { printTable, type Row } from "./table.ts";

const SIZES = [
  ["characters", 65],
  ["byte pairs that occur", 11_900],
  ["all byte pairs", 50_257],
] as const;
const BATCH = 16;
const BLOCK = 128;
const STEPS = 5;

interface Measured {
  readonly parameters: number;
  readonly milliseconds: number;
  readonly peakMegabytes: number;
}

async function measure(vocabSize: number): Promise<Measured> {
  const random = createRandom(1);
  const draw = (length: number, bound: number): number[] =>
    Array.from({ length }, () => random.integer(bound));
  const tokens = Uint16Array.from(draw(20_000, vocabSize));
  const { source } = windowsDataset({ name: "text", tokens, blockSize: BLOCK });
  const model = gpt({ vocabSize, blockSize: BLOCK });
  const { parameters, buffers } = model.init(random);
  const layout = layoutOf(parameters);
  await using workers = startWorkers(1);
  await using executor = await workerThreads(workers)({
    model,
    optimizer: adamW(),
    layout,
    bufferLayout: layoutOf(buffers),
    batchSize: BATCH,
    minibatchSize: BATCH,
    sources: [source],
    evaluation: undefined,
    localSteps: true,
  });
  const replica = executor.allocate();
  pack(parameters, layout, replica.parameters);
  const batch = { source: 0, indices: Uint32Array.from(draw(BATCH, 10_000)), keys: new Uint32Array(2) };
  let least = Number.POSITIVE_INFINITY;
  for (let step = 0; step < STEPS; step++) {
    const before = process.cpuUsage();
    await executor.localSteps(replica, batch, step);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return {
    parameters: layout.size,
    milliseconds: least,
    peakMegabytes: (process.resourceUsage().maxRSS * 1024) / 1e6,
  };
}

const [size] = process.argv.slice(2);
if (size !== undefined) console.log(JSON.stringify(await measure(Number(size))));
else {
  const rows = SIZES.map(([tokens, vocabulary]): Row => {
    const output = execFileSync(process.execPath, [import.meta.filename, String(vocabulary)]);
    const { parameters, milliseconds, peakMegabytes } = JSON.parse(output.toString()) as Measured;
    return {
      tokens,
      vocabulary,
      parameters,
      "step, ms": milliseconds.toFixed(0),
      "memory, MB": peakMegabytes.toFixed(0),
    };
  });
  printTable("A step by the size of the vocabulary", rows);
}
