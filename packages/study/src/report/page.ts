// The shell of the report: head, style, script and footer around the sections.

import { hatchPattern } from "./figure/figure.ts";
import { type Content, html, trusted } from "./html.ts";
import { pageScript } from "./script.ts";
import { style } from "./style.ts";

// The page may run its own script and style, and load nothing from anywhere.
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** What figures refer to, once for the whole page. */
const patterns = html`<svg class="hatch" width="0" height="0" aria-hidden="true">${hatchPattern}</svg>`;

/** What the pages of runs are made from. */
const RUN_FILES = "the run’s events.jsonl, config.json and summary.json";

/** @param source what the page is made from, for its foot */
export function page(title: string, sections: Content, source: string = RUN_FILES): string {
  const body = html`<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="generator" content="Atoll"/>
<meta http-equiv="Content-Security-Policy" content="${POLICY}"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>${title} · Atoll</title>
<style>${trusted(style)}</style>
</head>
<body>
${patterns}
<main>
${sections}
</main>
<footer><p>Made by Atoll from ${source}. Decimal units: 1 MB is 10⁶ bytes. Colours follow the palette of Okabe and Ito (2008), which the colour-blind can tell apart; some are shifted for contrast.</p></footer>
<script>${trusted(pageScript)}</script>
</body>
</html>
`;
  return `<!doctype html>\n${body.text}`;
}
