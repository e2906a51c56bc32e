import fc from "fast-check";
import { expect, test } from "vitest";
import { escapeHtml, html, jsonScript } from "./html.ts";

const entities: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
};
const readBack = (text: string): string =>
  text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities[entity]!);

/** Whether a document may hold this UTF-16 unit (XML 1.0, §2.2). */
const isAllowed = (unit: string): boolean => (unit >= " " && unit < "\ufffe") || "\t\n\r".includes(unit);

test("escaped text has no character that markup reads, and reads back as it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const escaped = escapeHtml(text);
      expect(escaped).not.toMatch(/[<>"']/);
      const allowed = text.toWellFormed().replace(/[\s\S]/g, (unit) => (isAllowed(unit) ? unit : "\ufffd"));
      expect(readBack(escaped)).toBe(allowed);
    }),
  );
});

test("control characters and halves of surrogate pairs become the replacement character", () => {
  expect(escapeHtml("a\u0000b\u001bc\ud800d")).toBe("a\ufffdb\ufffdc\ufffdd");
});

test("templates escape what they are given, and leave markup as it is", () => {
  const inner = html`<b>${"a < b"}</b>`;
  expect(html`<p title="${'"'}">${[inner, null, 7]}</p>`.text).toBe('<p title="&quot;"><b>a &lt; b</b>7</p>');
});

test("no data can close the element that holds it", () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      const text = jsonScript("data", JSON.parse(json)).text;
      const inside = text.slice(text.indexOf(">") + 1, -"</script>".length);
      expect(inside).not.toContain("<");
      expect(JSON.parse(inside)).toEqual(JSON.parse(json));
    }),
  );
});
