// How a node that may fail has spent its time. What it did in vain, and what it was down, is time in which it waited.

import type { NodeTime } from "@atoll/core";

/** Sums of a node's times differ from its clock by no more than this part. */
const ROUNDING = 1e-9;

/**
 * @param spent seconds of computing and communication as they were counted, whether or not they came to their end
 * @param total seconds of the node that are part of the run
 */
export function nodeTime(
  { compute, communication }: Pick<NodeTime, "compute" | "communication">,
  total: number,
): NodeTime {
  const computing = compute > total * (1 + ROUNDING) ? total : compute;
  const left = Math.max(0, total - computing);
  const moving = communication > left + ROUNDING * total ? left : communication;
  return { compute: computing, communication: moving, waiting: Math.max(0, left - moving) };
}
