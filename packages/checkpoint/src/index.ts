export type { Safetensors } from "./safetensors.ts";
export { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
export type { Dtype, HostTensor, StoredTensor } from "./tensors.ts";
export { toHostTensor } from "./tensors.ts";
