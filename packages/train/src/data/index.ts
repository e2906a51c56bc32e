// Data sets, their partition over nodes, and the order of examples on a node.

export type {
  DataSource,
  Dataset,
  ExampleShape,
  Subset,
  TableOptions,
  WindowsOptions,
} from "./dataset.ts";
export { exampleShape, gather, tableDataset, whole, windowsDataset } from "./dataset.ts";
export type { DigitsOptions } from "./digits.ts";
export { digits } from "./digits.ts";
export type { DatasetFactory, Partition } from "./partition.ts";
export { partition, partitionByFactory } from "./partition.ts";
export type { Sampler, SamplerOptions, SamplerPosition } from "./sampler.ts";
export { createSampler } from "./sampler.ts";
export type { Split } from "./split.ts";
export { holdOut } from "./split.ts";
export { createDecoder, createTokenizer } from "./tokenizer.ts";
export type { Tokenizer, Vocabulary } from "./vocabulary.ts";
export { characterVocabulary } from "./vocabulary.ts";
