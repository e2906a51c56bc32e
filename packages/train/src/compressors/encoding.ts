// How well a vector survives its encoding: the squared norms that ‖x − x̂‖ / ‖x‖ is made of, x̂ being what a receiver makes
// of what was sent. They add up over the parts of a vector. Each compressor gives them in the form that it has at hand.

/** x [n], what was to be sent, and x̂, what arrives. */
export interface Encoding {
  /** ‖x − x̂‖² */
  readonly squaredError: number;
  /** ‖x‖² */
  readonly squaredNorm: number;
}

export const NOTHING_ENCODED: Encoding = { squaredError: 0, squaredNorm: 0 };

export const addEncodings = (a: Encoding, b: Encoding): Encoding => ({
  squaredError: a.squaredError + b.squaredError,
  squaredNorm: a.squaredNorm + b.squaredNorm,
});

/** ‖x − x̂‖ / ‖x‖; 0 for zeros, of which nothing can be lost. */
export const relativeError = ({ squaredError, squaredNorm }: Encoding): number =>
  squaredNorm === 0 && squaredError === 0 ? 0 : Math.sqrt(squaredError / squaredNorm);

/** ‖x‖², in double precision. */
export function squaredNorm(x: Float32Array): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i]! ** 2;
  return total;
}

/** From the vector and what arrives. x, decoded [n] */
export function encodingOf(x: Float32Array, decoded: Float32Array): Encoding {
  let squaredError = 0;
  for (let i = 0; i < x.length; i++) squaredError += (x[i]! - decoded[i]!) ** 2;
  return { squaredError, squaredNorm: squaredNorm(x) };
}

/** From what the encoding has left out, as error feedback keeps it, and what arrives: x is their sum. error, decoded [n] */
export function encodingOfError(error: Float32Array, decoded: Float32Array): Encoding {
  let whole = 0;
  for (let i = 0; i < error.length; i++) whole += (error[i]! + decoded[i]!) ** 2;
  return { squaredError: squaredNorm(error), squaredNorm: whole };
}

/** Where some elements are sent as they are, and the others are not: left [n], with zeros in their place; sent [k] */
export function encodingOfSelection(left: Float32Array, sent: Float32Array): Encoding {
  const squaredError = squaredNorm(left);
  return { squaredError, squaredNorm: squaredError + squaredNorm(sent) };
}

/** What is sent as it is. */
export const exactEncoding = (x: Float32Array): Encoding => ({
  squaredError: 0,
  squaredNorm: squaredNorm(x),
});
