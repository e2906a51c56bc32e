// The rank environment by itself, for commands that start no programs and need not load what does.

export type { RankEnvironment } from "./rankEnvironment.ts";
export { MASTER_PORT, writeRankEnvironment } from "./rankEnvironment.ts";
export { readRankEnvironment } from "./readRankEnvironment.ts";
