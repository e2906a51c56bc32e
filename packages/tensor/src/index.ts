export type { Tensor } from "./borrow.ts";
export { consuming, dispose, scoped } from "./borrow.ts";
export { grad, valueAndGrad, valueAndGradWithAux } from "./gradient.ts";
export type { DType, HostArray, HostTensor, TensorSpec, TensorType } from "./host.ts";
export { allocate, dtypeOf, elementCount, formatType, typeOf } from "./host.ts";
export type { ConvolutionOptions, Operand, ReduceOptions } from "./ops.ts";
export {
  add,
  argmax,
  broadcastTo,
  cast,
  concatenate,
  constant,
  conv2d,
  divide,
  einsum,
  equal,
  erf,
  erfc,
  exp,
  foldIn,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  lowerTriangle,
  matmul,
  max,
  maximum,
  maxPool2d,
  mean,
  minimum,
  multiply,
  negate,
  notEqual,
  oneHot,
  pad,
  randomBits,
  relu,
  reshape,
  slice,
  split,
  sqrt,
  square,
  stopGradient,
  subtract,
  sum,
  take,
  tanh,
  transpose,
  uniform,
  where,
} from "./ops.ts";
export type { Tree, TreeEntry } from "./tree.ts";
export { flattenTree, leafAt, mapTree, unflattenTree } from "./tree.ts";
export type { VectorEntry, VectorLayout } from "./vector.ts";
export { layoutOf, pack, packTraced, unpack, viewsOf } from "./vector.ts";
