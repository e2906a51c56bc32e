// The learning rate against steps. It shares the texts of the loss panels' cursor.

import type { Run } from "../run.ts";
import { abscissaAxis, againstSteps, ordinateRange } from "./abscissa.ts";
import { linearAxis } from "./figure/axis.ts";
import { linePanel, panelBox } from "./figure/linePanel.ts";
import type { Markup } from "./html.ts";

/**
 * The panel, or null before the first step. A schedule is smooth, so the steps that the loss panels show are enough.
 * @param shown indices of the steps to draw
 * @param tips id of the page's texts for these steps
 */
export function learningRatePanel(run: Run, shown: readonly number[], tips: string): Markup | null {
  const { step, learningRate } = run.steps;
  if (step.length === 0) return null;
  const x = shown.map((i) => step[i]!);
  const y = shown.map((i) => learningRate[i]!);
  const highest = Math.max(0, ...y.filter(Number.isFinite));
  return linePanel({
    title: "Learning rate against steps",
    className: "both",
    box: panelBox,
    xAxis: abscissaAxis(againstSteps(run), run),
    yAxis: linearAxis({ domain: [0, highest], range: ordinateRange, label: "learning rate", rounded: true }),
    lines: [{ kind: "training", x, y }],
    points: [],
    gaps: [],
    hover: { tips, x, y },
    positiveOnly: false,
  });
}
