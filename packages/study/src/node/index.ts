export { readRun } from "./readRun.ts";
export { writeReport } from "./writeReport.ts";
