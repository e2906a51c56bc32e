// Reverse-mode differentiation of borrowing functions: jax-js's `valueAndGrad`, on trees of parameters.

import { valueAndGrad as jaxValueAndGrad } from "@jax-js/jax";
import { consuming, type JaxArray, keep, lend, type Tensor } from "./borrow.ts";
import { mapTree, type Tree } from "./tree.ts";

/** What jax-js's transformations ask for. */
type JaxFunction = Parameters<typeof jaxValueAndGrad>[0];

const adopt = <T>(tree: T): T => mapTree(tree as Tree<Tensor>, (tensor) => keep(tensor as JaxArray)) as T;

/**
 * Makes of a loss the function that returns the loss and its gradient with respect to the first argument, a tensor or a
 * tree of tensors. All other arguments are constants of the differentiation.
 */
export function valueAndGrad<P, A extends readonly unknown[]>(
  loss: (parameters: P, ...rest: A) => Tensor,
): (parameters: P, ...rest: A) => [value: Tensor, gradients: P] {
  return (parameters, ...rest) => {
    const differentiated = jaxValueAndGrad(
      consuming((p: P) => loss(p, ...rest)) as unknown as JaxFunction,
    ) as unknown as (p: P) => [JaxArray, P];
    const [value, gradients] = differentiated(
      mapTree(parameters as Tree<Tensor>, (tensor) => lend(tensor)) as P,
    );
    return [keep(value), adopt(gradients)];
  };
}

/** As `valueAndGrad`, for a loss that also returns a tree of tensors which is not differentiated: logits, new buffers. */
export function valueAndGradWithAux<P, A extends readonly unknown[], X>(
  loss: (parameters: P, ...rest: A) => [value: Tensor, aux: X],
): (parameters: P, ...rest: A) => [value: Tensor, gradients: P, aux: X] {
  return (parameters, ...rest) => {
    const differentiated = jaxValueAndGrad(
      consuming((p: P) => loss(p, ...rest)) as unknown as unknown as JaxFunction,
      { hasAux: true },
    ) as unknown as (p: P) => [[JaxArray, X], P];
    const [[value, aux], gradients] = differentiated(
      mapTree(parameters as Tree<Tensor>, (tensor) => lend(tensor)) as P,
    );
    return [keep(value), adopt(gradients), adopt(aux)];
  };
}

/** The gradient alone. */
export function grad<P, A extends readonly unknown[]>(
  loss: (parameters: P, ...rest: A) => Tensor,
): (parameters: P, ...rest: A) => P {
  const both = valueAndGrad(loss);
  return (parameters, ...rest) => both(parameters, ...rest)[1];
}
