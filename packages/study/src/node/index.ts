export { readRun } from "./read-run.ts";
export { writeReport } from "./write-report.ts";
