// Checks a page as a strict parser would: every tag closed in order, every attribute quoted, no bare < or & in text.
// Browsers forgive all of that, so a page that a browser shows is no proof.

const TOKEN =
  /<!doctype html>|<!--|<\/([a-zA-Z][\w:-]*)>|<([a-zA-Z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|[^<]+|</gy;

/** The first thing that is not well-formed, or null. Scripts and styles are text, up to their end tag. */
export function malformation(page: string): string | null {
  const open: string[] = [];
  const token = new RegExp(TOKEN);
  while (token.lastIndex < page.length) {
    const start = token.lastIndex;
    const match = token.exec(page);
    const place = page.slice(start, start + 80);
    if (!match) return `cannot read: ${place}`;
    const [text, closing, opening, , empty] = match;
    if (closing !== undefined) {
      const last = open.pop();
      if (last !== closing) return `</${closing}> closes <${last}>: ${place}`;
    } else if (opening !== undefined) {
      if (empty === "/") continue;
      open.push(opening);
      if (opening === "script" || opening === "style") token.lastIndex = page.indexOf(`</${opening}>`, start);
    } else if (text === "<" || text === "<!--") return `bare <: ${place}`;
    else if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(text)) return `bare &: ${text.slice(0, 80)}`;
  }
  return open.length === 0 ? null : `not closed: ${open.join(" ")}`;
}
