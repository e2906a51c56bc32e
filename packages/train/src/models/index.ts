export { cnn } from "./cnn.ts";
export type { GptOptions, GptSize } from "./gpt.ts";
export { gpt, gptSizes } from "./gpt.ts";
export { mlp } from "./mlp.ts";
export type { ApplyContext, ExampleType, Model } from "./model.ts";
export { smallCnn } from "./smallCnn.ts";
