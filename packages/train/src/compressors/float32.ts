// Floats as they are: the codec that changes nothing.

import type { Codec } from "@atoll/comm";

export const float32: Codec = {
  name: "float32",
  bytes: (length) => 4 * length,
  encode: (x) => new Uint8Array(x.slice().buffer),
  decode(encoded, out) {
    new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(encoded);
  },
};
