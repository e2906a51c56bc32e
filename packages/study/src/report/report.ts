// The report of a run: one page that needs nothing but itself.

import type { RunRecord } from "../record.ts";
import { interpretRun } from "../run.ts";
import { collectivesSection } from "./collectivesSection.ts";
import { configSection, reproduceSection } from "./configSection.ts";
import { evaluationSection } from "./evaluationSection.ts";
import { faultsSection } from "./faultsSection.ts";
import { lossSection } from "./lossSection.ts";
import { networkSection } from "./networkSection.ts";
import { page } from "./page.ts";
import { timeSection } from "./timeSection.ts";
import { titleSection } from "./titleSection.ts";

/**
 * Makes the report as a complete HTML document (UTF-8, under 2 MB for 100,000 steps). Figures are inline SVG and are
 * complete without the script, which adds tooltips and the search in the config. Pure: the same record gives the
 * same page.
 */
export function renderReport(record: RunRecord): string {
  const run = interpretRun(record);
  return page(run.name, [
    titleSection(run),
    lossSection(run),
    timeSection(run),
    faultsSection(run),
    networkSection(run),
    collectivesSection(run),
    evaluationSection(run),
    configSection(run),
    reproduceSection(run),
  ]);
}
