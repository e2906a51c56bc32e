// Bytes as the floats that collectives carry. Only whole arrays are copied on the way, so bits that are no number stay
// what they are.

const WORD_BYTES = 4;

/** What a message of so many bytes weighs: whole words of four. */
export const wireBytes = (bytes: number): number => WORD_BYTES * Math.ceil(bytes / WORD_BYTES);

/** [bytes] -> [⌈bytes / 4⌉], filled up with zeros. */
export function toWords(bytes: Uint8Array): Float32Array {
  const padded = new Uint8Array(wireBytes(bytes.length));
  padded.set(bytes);
  return new Float32Array(padded.buffer);
}

/** The first `length` bytes of what `toWords` made, without copying. */
export const fromWords = (words: Float32Array, length: number): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, length);

/**
 * What all members make of the same thing, computed once where they share it, as simulated ones share what they have gathered
 * or reduced.
 * @returns gives the result for a thing that it has seen, and else what `compute` makes; only read it
 */
export function sharedResult<T extends object = Float32Array>(): (key: object, compute: () => T) => T {
  const results = new WeakMap<object, T>();
  return (key, compute) => {
    const result = results.get(key) ?? compute();
    results.set(key, result);
    return result;
  };
}
