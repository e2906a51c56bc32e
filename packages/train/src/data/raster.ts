// Draws strokes into a small grey image: a polyline with round ends, smooth at its edges.

/** A curve as the points of a polyline, x and y alternating: [x0, y0, x1, y1, …], in pixels. */
export type Polyline = readonly number[];

/** A square grey image, row by row; 0 is empty, 1 is full ink. */
export interface Canvas {
  readonly side: number;
  readonly ink: Float32Array; // [side, side]
}

/** Points between two control points of a curve: enough to look round at 28 × 28 pixels. */
const POINTS_PER_SPAN = 4;

/** A Catmull–Rom curve (uniform, tension ½; Catmull and Rom 1974) through the given points. */
export function smooth(points: Polyline): Polyline {
  const last = points.length / 2 - 1;
  const at = (i: number, axis: number): number => points[2 * Math.min(Math.max(i, 0), last) + axis]!;
  const result: number[] = [at(0, 0), at(0, 1)];
  for (let i = 0; i < last; i++) {
    for (let step = 1; step <= POINTS_PER_SPAN; step++) {
      const t = step / POINTS_PER_SPAN;
      const before = t * (t * (2 - t) - 1);
      const start = t * t * (3 * t - 5) + 2;
      const end = t * (t * (4 - 3 * t) + 1);
      const after = t * t * (t - 1);
      for (const axis of [0, 1])
        result.push(
          0.5 *
            (before * at(i - 1, axis) +
              start * at(i, axis) +
              end * at(i + 1, axis) +
              after * at(i + 2, axis)),
        );
    }
  }
  return result;
}

/** Draws a line of the given half-width in pixels; where strokes cross, the darker one counts. */
export function drawPolyline(canvas: Canvas, points: Polyline, halfWidth: number, strength: number): void {
  for (let i = 0; i + 3 < points.length; i += 2)
    drawSegment(
      canvas,
      [points[i]!, points[i + 1]!, points[i + 2]!, points[i + 3]!],
      halfWidth + 0.5,
      strength,
    );
}

/** Ink falls from full to none over the last pixel of `reach`, measured from the segment's middle line. */
function drawSegment(
  { side, ink }: Canvas,
  [x0, y0, x1, y1]: readonly [number, number, number, number],
  reach: number,
  strength: number,
): void {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const inverseLength2 = 1 / (dx * dx + dy * dy + 1e-9);
  const left = Math.max(0, Math.ceil(Math.min(x0, x1) - reach));
  const right = Math.min(side - 1, Math.floor(Math.max(x0, x1) + reach));
  const top = Math.max(0, Math.ceil(Math.min(y0, y1) - reach));
  const bottom = Math.min(side - 1, Math.floor(Math.max(y0, y1) + reach));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = ((x - x0) * dx + (y - y0) * dy) * inverseLength2;
      const nearest = Math.min(Math.max(along, 0), 1);
      const ex = x - x0 - nearest * dx;
      const ey = y - y0 - nearest * dy;
      const distance2 = ex * ex + ey * ey;
      if (distance2 >= reach * reach) continue;
      const cover = strength * Math.min(1, reach - Math.sqrt(distance2));
      const pixel = y * side + x;
      if (cover > ink[pixel]!) ink[pixel] = cover;
    }
  }
}
