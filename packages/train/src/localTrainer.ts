// The main job: a run on N simulated machines in this process. Nodes are async functions on a virtual clock; their
// arithmetic is done by an executor, their messages by a simulated network.
// The run is cut into segments at evaluations and checkpoints. At a cut every node has done the same number of steps
// and nothing is under way, so evaluating, saving and resuming need no locks and no copies, and each node goes on at
// its own time: cuts do not show in the numbers.

import { createSimulatedWorld, type SimulatedWorld } from "@atoll/comm";
import { type ConfigTree, createRandom, InterruptedError, messageOf, type NodeTime, type Random } from "@atoll/core";
import { type Network, resolveNetwork, VirtualClock } from "@atoll/network";
import { type HostTensor, pack, type Tree, viewsOf } from "@atoll/tensor";
import { type ComputeModel, createComputeModel, measureCompute } from "./compute.ts";
import type { Dataset, DatasetFactory } from "./data/index.ts";
import { averageWeights, evaluateRun, type RunEvaluation, sampledEvaluation, wholeEvaluation } from "./evaluation.ts";
import type { Executor, ExecutorFactory } from "./executor.ts";
import type { Model } from "./models/index.ts";
import { type FitOptions, type ResolvedFitOptions, resolveFitOptions } from "./options.ts";
import { type PreparedRun, prepareRun } from "./prepare.ts";
import { StepRecorder } from "./recorder.ts";
import { restoreNode, snapshotNode } from "./snapshot.ts";
import { type Horizon, TrainNode } from "./trainNode.ts";
