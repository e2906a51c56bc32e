// What the nodes of a strategy do when some of them are missing at an exchange: each strategy states one of these, and a
// run may choose another. What follows from it is the business of ../faults/.

/** How an exchange begins when not all nodes are there. Times are simulated seconds. */
export type MissingPolicy =
  /** Nobody goes on before all nodes are back. */
  | { readonly kind: "wait" }
  /** Those that are there go on so many seconds after half of those that run have come. */
  | { readonly kind: "timeout"; readonly seconds: number }
  /** Those that are there go on so many seconds after a part of all nodes has come, and never with fewer. */
  | { readonly kind: "quorum"; readonly fraction: number; readonly seconds: number }
  /** Nodes do not wait for each other at all. */
  | { readonly kind: "none" }
  /** A crash ends the run, with the strategy's reason. */
  | { readonly kind: "stop"; readonly reason: string };

/** Of strategies whose nodes have to stay the same: a step without some nodes' gradients would be another step. */
export const WAIT: MissingPolicy = { kind: "wait" };
/** Of federated averaging: a round is one of those who take part. */
export const QUORUM: MissingPolicy = { kind: "quorum", fraction: 0.5, seconds: 30 };
/** Of strategies whose nodes may differ: the others go on with what they have. */
export const GO_ON: MissingPolicy = { kind: "timeout", seconds: 30 };
/** Of asynchronous strategies, whose nodes never wait. */
export const NEVER_WAIT: MissingPolicy = { kind: "none" };
