// A communicator that tells how well what a member encodes for an all-reduce arrives. It looks at the codec's own work: it
// encodes nothing a second time, since a codec may round by random numbers, which the next vector would then get others of.

import {
  type AllReduceOptions,
  type Codec,
  type Communicator,
  type StartedCalls,
  transcode,
} from "@atoll/comm";
import { type Encoding, encodingOf } from "../compressors/encoding.ts";

type Observe = (encoding: Encoding) => void;

/** @param observer called when an all-reduce begins; what it returns gets the encodings of its shards */
export function measuredCommunicator(inner: Communicator, observer: () => Observe): Communicator {
  const measured = (x: Float32Array, options: AllReduceOptions = {}): AllReduceOptions =>
    options.codec === undefined
      ? options
      : { ...options, codec: measuredCodec(options.codec, x, observer()) };
  const start: StartedCalls = {
    allReduce: (x, options) => inner.start.allReduce(x, measured(x, options)),
    allReduced: (x, options) => inner.start.allReduced(x, measured(x, options)),
    reduceScatter: (x, options) => inner.start.reduceScatter(x, options),
    broadcast: (x, root) => inner.start.broadcast(x, root),
    allGather: (x, options) => inner.start.allGather(x, options),
    allToAll: (parts) => inner.start.allToAll(parts),
    gather: (x, root) => inner.start.gather(x, root),
    barrier: () => inner.start.barrier(),
    send: (x, to, tag, options) => inner.start.send(x, to, tag, options),
    recv: (from, tag) => inner.start.recv(from, tag),
  };
  return {
    rank: inner.rank,
    worldSize: inner.worldSize,
    start,
    allReduce: (x, options) => inner.allReduce(x, measured(x, options)),
    allReduced: (x, options) => inner.allReduced(x, measured(x, options)),
    reduceScatter: (x, options) => inner.reduceScatter(x, options),
    broadcast: (x, root) => inner.broadcast(x, root),
    allGather: (x, options) => inner.allGather(x, options),
    allToAll: (parts) => inner.allToAll(parts),
    gather: (x, root) => inner.gather(x, root),
    barrier: () => inner.barrier(),
    send: (x, to, tag, options) => inner.send(x, to, tag, options),
    recv: (from, tag) => inner.recv(from, tag),
    arrived: (tag) => inner.arrived(tag),
    started: (id) => inner.started(id),
    group: (members) => measuredCommunicator(inner.group(members), observer),
    get bytesSent() {
      return inner.bytesSent;
    },
  };
}

/**
 * The codec, observed where it encodes parts of this vector; sums, which are encoded again, are no node's own. What it may do
 * in one go (`reduce`) it does vector by vector, to the same bits.
 */
export function measuredCodec(codec: Codec, vector: Float32Array, observe: Observe): Codec {
  const isOwn = ({ buffer, byteOffset, byteLength }: Float32Array): boolean =>
    buffer === vector.buffer &&
    byteOffset >= vector.byteOffset &&
    byteOffset + byteLength <= vector.byteOffset + vector.byteLength;
  return {
    name: codec.name,
    bytes: (length) => codec.bytes(length),
    decode: (encoded, out) => codec.decode(encoded, out),
    encode(x) {
      const encoded = codec.encode(x);
      if (isOwn(x)) {
        const decoded = new Float32Array(x.length);
        codec.decode(encoded, decoded);
        observe(encodingOf(x, decoded));
      }
      return encoded;
    },
    transcode(x, scratch) {
      const made = transcode(codec, x, scratch);
      if (isOwn(x)) observe(encodingOf(x, made));
      return made;
    },
  };
}
