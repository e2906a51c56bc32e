// The report of runs: one page that needs nothing but itself, and its figures and tables as files of their own.

import type { RunRecord } from "../record.ts";
import { interpretRun } from "../run.ts";
import { filesOf, type NamedFile } from "./attachment.ts";
import { collectivesSection } from "./collectivesSection.ts";
import { configSection, reproduceSection } from "./configSection.ts";
import { evaluationSection } from "./evaluationSection.ts";
import { faultsSection } from "./faultsSection.ts";
import { attachmentsOf } from "./html.ts";
import { linkUseSection } from "./linkUseSection.ts";
import { lossSection } from "./lossSection.ts";
import { networkSection } from "./networkSection.ts";
import { page } from "./page.ts";
import { recordsSection } from "./recordsSection.ts";
import { reportedRuns } from "./reportedRun.ts";
import { type RunSummary, summaryOf } from "./runSummary.ts";
import type { ReportOptions, Section } from "./section.ts";
import { timelineSection } from "./timelineSection.ts";
import { timeSection } from "./timeSection.ts";
import { pageTitle, titleSection } from "./titleSection.ts";

/** In the order of the page. */
const sections: readonly Section[] = [
  titleSection,
  lossSection,
  recordsSection,
  timeSection,
  timelineSection,
  faultsSection,
  networkSection,
  linkUseSection,
  collectivesSection,
  evaluationSection,
  configSection,
  reproduceSection,
];

export interface Report {
  /** A complete HTML document. */
  readonly page: string;
  readonly runs: readonly RunSummary[];
  /** Each figure as an SVG document, each table as CSV. */
  readonly files: () => readonly NamedFile[];
}

/**
 * Makes the report of one or more runs (UTF-8; under 2 MB for a run of 100,000 steps). Figures are inline SVG and are
 * complete without the script, which adds tooltips, files to save and the search in the config. Pure: the same records
 * give the same page.
 */
export function createReport(
  records: readonly RunRecord[],
  options: ReportOptions = { prices: null },
): Report {
  const runs = reportedRuns(records.map(interpretRun));
  const content = sections.map((section) => section(runs, options));
  return {
    page: page(pageTitle(runs), content),
    runs: runs.map((run) => summaryOf(run, options.prices)),
    files: () => filesOf(attachmentsOf(content)),
  };
}

/** The page alone. */
export const renderReport = (...records: readonly RunRecord[]): string => createReport(records).page;
