export type { RunRecord } from "./record.ts";
export { renderReport } from "./report/report.ts";
export { summaryTable } from "./summaryTable.ts";
