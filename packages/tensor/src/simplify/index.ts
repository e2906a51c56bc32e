// The simplifying passes, in order. Each takes and returns a computation and may be left out: they make programs
// faster, none makes them correct.

import type { Computation } from "../ir.ts";
import { restoreDivision, restoreSubtraction } from "./arithmetic.ts";
import { mergeCommon } from "./common.ts";
import { dropSecondMask } from "./maskedSoftmax.ts";
import { markIndices, maskBeforeUnpooling, recogniseMaxPool, recogniseMaxPoolGradient } from "./maxPool.ts";
import { recogniseRelu, recogniseReluGradient } from "./relu.ts";
import { deadCode, type Rule, rewrite } from "./rewrite.ts";

const RULES: readonly Rule[] = [
  recogniseRelu,
  recogniseReluGradient,
  recogniseMaxPool,
  recogniseMaxPoolGradient,
  maskBeforeUnpooling,
  dropSecondMask,
  restoreDivision, // After the recognition of max pooling, which looks for the reciprocal.
  restoreSubtraction,
];

export function simplify(computation: Computation): Computation {
  const rewritten = RULES.reduce<Computation>(
    (current, rule) => deadCode(rewrite(current, rule)),
    mergeCommon(computation),
  );
  return markIndices(rewritten); // Once only the gradients that are needed are left.
}
