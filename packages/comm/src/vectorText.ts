// A vector of floats as text, to the bit: JSON has no NaN, and a list of numbers takes twice the room. Base64 (RFC 4648) of
// its bytes, in the byte order of the machine, which is the little-endian one wherever this runs.

/** Bytes made into text at a time, a multiple of three so that the parts join: bounds the arguments of one call. */
const PART = 3 * 4096;

export function textOfVector(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  let text = "";
  for (let start = 0; start < bytes.length; start += PART)
    text += btoa(String.fromCharCode(...bytes.subarray(start, start + PART)));
  return text;
}

export function vectorOfText(text: string): Float32Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return new Float32Array(bytes.buffer);
}
