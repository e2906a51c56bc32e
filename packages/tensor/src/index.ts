export type { Backend, Program } from "./backends/backend.ts";
export type { CompileOptions } from "./backends/compile.ts";
export { compile } from "./backends/compile.ts";
export { wasm } from "./backends/wasm.ts";
export type { Tensor } from "./borrow.ts";
export { consuming, dispose, scoped } from "./borrow.ts";
export { fusedCrossEntropy } from "./fused/crossEntropy.ts";
export { fusedGelu } from "./fused/gelu.ts";
export { fusedLayerNorm } from "./fused/layerNorm.ts";
export { fusedSoftmax } from "./fused/softmax.ts";
export { grad, valueAndGrad, valueAndGradWithAux } from "./gradient.ts";
export type { DType, HostArray, HostTensor, TensorSpec, TensorType } from "./host.ts";
export { allocate, dtypeOf, elementCount, formatType, typeOf } from "./host.ts";
export type { FusedUpdate, KernelName, Kernels, UpdatePlan, UpdateVectors } from "./kernels/index.ts";
export { applyUpdate, createKernels, planUpdate } from "./kernels/index.ts";
export type { Heap, HeapOptions, SharedVector, VectorAddress, VectorType } from "./memory.ts";
export { createHeap, viewAt } from "./memory.ts";
export type {
  Attention,
  AttentionOptions,
  BatchNorm,
  BatchNormBuffers,
  Convolution,
  ConvolutionShape,
  DropoutOptions,
  Embedding,
  LayerNorm,
  Linear,
} from "./nn/index.ts";
export {
  batchNorm,
  causalSelfAttention,
  convolution,
  countCorrect,
  dropout,
  dropout2d,
  embedding,
  filledTensor,
  gelu,
  initBatchNorm,
  initConvolution,
  initEmbedding,
  initLayerNorm,
  initLinear,
  layerNorm,
  linear,
  normalTensor,
  softmax,
  softmaxCrossEntropy,
  uniformTensor,
} from "./nn/index.ts";
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
  randomPairs,
  relu,
  reshape,
  slice,
  split,
  splitKey,
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
export type {
  AdamOptimizerOptions,
  AdamOptions,
  AdamWOptions,
  ChainPart,
  Decay,
  GradientTransformation,
  MuonOptions,
  Optimizer,
  Schedule,
  SgdOptions,
  Updated,
  UpdateRule,
} from "./optim/index.ts";
export {
  adam,
  adamW,
  addDecayedWeights,
  chain,
  clipByGlobalNorm,
  constantSchedule,
  cosine,
  linearWarmup,
  momentum,
  muon,
  proximal,
  scaleByAdam,
  scaleByLearningRate,
  scaleByMuon,
  sgd,
  warmupCosine,
} from "./optim/index.ts";
export type { Example, LoweredProgram, StepArguments, StepResult } from "./program.ts";
export { lower, lowerLoop } from "./program.ts";
export type { Tree, TreeEntry } from "./tree.ts";
export { flattenTree, leafAt, mapTree, unflattenTree } from "./tree.ts";
export type { VectorEntry, VectorLayout } from "./vector.ts";
export { layoutOf, pack, packTraced, unpack, viewsOf } from "./vector.ts";
export {
  adamDirection,
  addVectors,
  allocateBeside,
  decayAndAdd,
  divideVector,
  subtractVectors,
} from "./vectors.ts";
