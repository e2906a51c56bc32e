// Codecs, and no more: neither networks nor collectives. An entry point of its own (@atoll/comm/codecs), since worker
// threads, which encode and add up what is encoded, would load all that it imports.

export { type Codec, type CodedReduction, transcode } from "./codec.ts";
export { type Int8Options, int8 } from "./codecs/int8.ts";
