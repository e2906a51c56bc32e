// Accuracy against steps, for models that have one.

import { extent } from "d3-array";
import type { Run } from "../run.ts";
import { abscissaAxis, againstSteps, ordinateRange } from "./abscissa.ts";
import { evaluationMarks, markLines, markPoints } from "./evaluationMarks.ts";
import { linearAxis } from "./figure/axis.ts";
import { linePanel, panelBox } from "./figure/linePanel.ts";
import type { Markup } from "./html.ts";

/** The panel, or null where nothing measured an accuracy. */
export function accuracyPanel(run: Run): Markup | null {
  const marks = evaluationMarks(run.evaluations, "accuracy");
  if (marks.length === 0) return null;
  const steps = againstSteps(run);
  const [low = 0, high = 1] = extent(marks.flatMap(({ y }) => y).filter(Number.isFinite));
  // Two points of accuracy at least: a single evaluation is no reason for a large axis, nor is noise.
  const domain = [Math.max(0, Math.min(low, high - 0.02)), Math.min(1, Math.max(high, low + 0.02))] as const;
  return linePanel({
    title: "Accuracy against steps",
    className: "both",
    box: panelBox,
    xAxis: abscissaAxis(steps, run),
    yAxis: linearAxis({
      domain,
      range: ordinateRange,
      label: "accuracy",
      unit: { factor: 0.01, symbol: "%" },
      rounded: true,
    }),
    lines: markLines(marks, steps.of),
    points: markPoints(marks, steps.of),
    gaps: [],
    positiveOnly: false,
  });
}
