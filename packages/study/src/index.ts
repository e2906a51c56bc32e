export type { RunRecord } from "./record.ts";
export { renderReport } from "./report/report.ts";
export { checkRepriceable, type RepriceOptions, reprice } from "./reprice/reprice.ts";
export { type RunCosts, runCosts } from "./runCosts.ts";
export { summaryTable } from "./summaryTable.ts";
export { textTable } from "./textTable.ts";
