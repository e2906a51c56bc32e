// A figure as an SVG document of its own: its legend and its panels laid out, with the styles that it needs.
// The function also runs in the reader's browser, where a figure is saved from the page: it works on texts and uses nothing
// from outside.

export interface FigureContent {
  /** Read out in place of the picture. */
  readonly title: string;
  /** `swatch`: an SVG element of 28 by 14. */
  readonly legend: readonly { readonly swatch: string; readonly label: string }[];
  /** SVG elements with a viewBox that begins at 0 0. */
  readonly panels: readonly string[];
  /** Panels side by side. */
  readonly columns: number;
  /** The style sheet and the patterns that it refers to. */
  readonly style: string;
  readonly patterns: string;
}

/** Lays the figure out; sizes are in CSS pixels. Names in texts are escaped already, but for the legend's labels. */
export function standaloneSvg({ title, legend, panels, columns, style, patterns }: FigureContent): string {
  const margin = 14;
  const gap = 20;
  const escaped = (text: string): string =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const sizes = panels.map((panel) => {
    const [, width = "0", height = "0"] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(panel) ?? [];
    return { width: Number(width), height: Number(height) };
  });
  const widest = Math.max(240, ...sizes.map((size) => size.width));
  const across = Math.max(1, Math.min(columns, panels.length));
  const width = 2 * margin + across * widest + (across - 1) * gap;
  const placed = (element: string, x: number, y: number, size: { width: number; height: number }): string =>
    element.replace(
      /^<svg\b[^>]*>/,
      (tag) =>
        `${tag
          .replace(/\s(?:xmlns|width|height|x|y|id|data-[\w-]+|style)="[^"]*"/g, "")
          .slice(0, -1)} x="${x}" y="${y}" width="${size.width}" height="${size.height}">`,
    );
  const parts: string[] = [];
  let x = margin;
  let y = margin;
  for (const { swatch, label } of legend) {
    // Nothing measures texts here: digits and letters of the figures' font are about half as wide as they are high.
    const length = 36 + 6.9 * label.length;
    if (x > margin && x + length > width - margin) {
      x = margin;
      y += 20;
    }
    parts.push(placed(swatch, x, y, { width: 28, height: 14 }));
    parts.push(`<text x="${x + 35}" y="${y + 11.5}">${escaped(label)}</text>`);
    x += length + 18;
  }
  if (legend.length > 0) y += 28;
  for (let row = 0; row < panels.length; row += across) {
    const inRow = sizes.slice(row, row + across);
    inRow.forEach((size, i) => {
      parts.push(placed(panels[row + i]!, margin + i * (widest + gap), y, size));
    });
    y += Math.max(...inRow.map((size) => size.height)) + gap;
  }
  const height = y - gap + margin;
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" class="figure" role="img">
<title>${escaped(title)}</title>
<style>${style}</style>
${patterns}
<rect class="paper" width="100%" height="100%"/>
${parts.join("\n")}
</svg>
`;
}
