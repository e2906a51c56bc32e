export {
  type Cell,
  type CellResult,
  type CompareOptions,
  type Comparison,
  compareCells,
} from "./compare/comparison.ts";
export { type ComparisonReport, type ComparisonTitle, renderComparison } from "./compare/comparisonPage.ts";
export { comparisonJson, comparisonText } from "./compare/comparisonTable.ts";
export { type RunFacts, runFacts } from "./compare/runFacts.ts";
export { formatFactor, formatLoss } from "./format.ts";
export { describeNetwork, planNotes } from "./plan/notes.ts";
export type { Plan, PlanOptions, PlanSchedule, RequiredBandwidth } from "./plan/plan.ts";
export { PLAN_SCHEDULES, planRun } from "./plan/plan.ts";
export { renderPlan } from "./plan/planPage.ts";
export { type PlanRecord, planText } from "./plan/planText.ts";
export { formatDollars, type Prices } from "./prices.ts";
export type { RunRecord } from "./record.ts";
export type { NamedFile } from "./report/attachment.ts";
export { createReport, type Report, renderReport } from "./report/report.ts";
export type { RunSummary } from "./report/runSummary.ts";
export type { ReportOptions } from "./report/section.ts";
export { latencyShare } from "./reprice/latencyShare.ts";
export { checkRepriceable, type RepriceOptions, reprice } from "./reprice/reprice.ts";
export { type RunCosts, runCosts } from "./runCosts.ts";
export { type FaultSummary, runEnd } from "./runEnd.ts";
export { summaryTable } from "./summaryTable.ts";
export { textTable } from "./textTable.ts";
