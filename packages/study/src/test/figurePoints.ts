// Reads back where a page's figures draw, to check it against their plots.

export interface DrawnFigure {
  /** Left, top, right, bottom. */
  readonly box: readonly [number, number, number, number];
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/**
 * The points that lie outside of their figure's plot, all in one list: an expectation for each of thousands took seconds.
 *
 * @param beside how far they may be off to the left and right; coordinates are rounded
 */
export const strayPoints = (page: string, beside = 0.1): DrawnFigure["points"] =>
  drawnFigures(page).flatMap(({ box: [left, top, right, bottom], points }) =>
    points.filter(
      ({ x, y }) => !(x >= left - beside && x <= right + beside && y >= top - 0.1 && y <= bottom + 0.1),
    ),
  );

/** The data of every figure that has a plot: lines, areas, points, bars, marks and the cursor's places. */
export function drawnFigures(page: string): readonly DrawnFigure[] {
  return [...page.matchAll(/<svg[^>]*data-box="([^"]+)"[^>]*>([\s\S]*?)<\/svg>/g)].map(
    ([svg, box, inside]) => ({
      box: numbers(box!) as [number, number, number, number],
      points: [
        ...pathPoints(inside!),
        ...markerPoints(inside!),
        ...barPoints(inside!),
        ...markPoints(inside!),
        ...cellPoints(inside!),
        ...cursorPoints(svg),
      ],
    }),
  );
}

const numbers = (text: string): number[] => text.split(/[ ,]/).map(Number);

function* pathPoints(svg: string): Generator<{ x: number; y: number }> {
  for (const [, d] of svg.matchAll(
    /<path class="(?:line|area|compute|communication|waiting)[^"]*" d="([^"]+)"/g,
  ))
    for (const [, x, y] of d!.matchAll(/[ML]([^,A-Z]+),([^,A-Z]+)/g)) yield { x: Number(x), y: Number(y) };
}

function* markerPoints(svg: string): Generator<{ x: number; y: number }> {
  for (const [, place] of svg.matchAll(/<path class="point[^"]*" transform="translate\(([^)]+)\)"/g)) {
    const [x, y] = numbers(place!) as [number, number];
    yield { x, y };
  }
}

function* barPoints(svg: string): Generator<{ x: number; y: number }> {
  const bars = /<rect class="\w+" x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"/g;
  for (const [, x, y, width, height] of svg.matchAll(bars)) {
    yield { x: Number(x), y: Number(y) };
    yield { x: Number(x) + Number(width), y: Number(y) + Number(height) };
  }
}

/** Both ends of the strokes that lanes and marks of faults are made of. */
function* markPoints(svg: string): Generator<{ x: number; y: number }> {
  const marks = /<path class="(?:turn|down|behind|recovered)[^"]*"[^>]* d="([^"]+)"/g;
  for (const [, d] of svg.matchAll(marks))
    for (const [, x, y, kind, to] of d!.matchAll(/M([-\d.]+) ([-\d.]+)([hV])([-\d.]+)/g)) {
      yield { x: Number(x), y: Number(y) };
      yield kind === "h" ? { x: Number(x) + Number(to), y: Number(y) } : { x: Number(x), y: Number(to) };
    }
}

/** Opposite corners of the rectangles that lanes and heat-maps are made of. */
function* cellPoints(svg: string): Generator<{ x: number; y: number }> {
  for (const [, d] of svg.matchAll(/<path class="(?:span|heat)[^"]*" d="([^"]+)"/g))
    for (const [, x, y, width, height] of d!.matchAll(/M([-\d.]+) ([-\d.]+)h([-\d.]+)v([-\d.]+)/g)) {
      yield { x: Number(x), y: Number(y) };
      yield { x: Number(x) + Number(width), y: Number(y) + Number(height) };
    }
}

function* cursorPoints(svg: string): Generator<{ x: number; y: number }> {
  const xs = /data-x="([^"]*)"/.exec(svg)?.[1];
  const ys = /data-y="([^"]*)"/.exec(svg)?.[1];
  if (!xs || ys === undefined) return;
  const heights = ys.split(",");
  for (const [i, x] of xs.split(" ").entries())
    if (heights[i] !== "") yield { x: Number(x), y: Number(heights[i]) };
}
