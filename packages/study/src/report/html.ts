// Markup that cannot forget to escape: whatever is put into an html`…` template is escaped, unless it is markup already.
// The result is well-formed as XML too (closed tags, quoted attributes), which is how the tests check it.
// Markup carries the figures and tables in it along, as the files that a reader can save from the page.

import type { Attachment } from "./attachment.ts";

/** A piece of HTML or SVG. Made by the html tag; by `trusted` for text that is markup already. */
export class Markup {
  readonly text: string;
  /** Those of its parts included, in their order. */
  readonly attachments: readonly Attachment[];
  constructor(text: string, attachments: readonly Attachment[] = []) {
    this.text = text;
    this.attachments = attachments;
  }
}

/** What a template takes: null leaves the place empty, a list is joined. */
export type Content = Markup | string | number | null | readonly Content[];

// Characters that no document may hold (XML 1.0, §2.2); a name from a corrupt file can.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to find.
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text made safe as content and as a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .toWellFormed()
    .replace(FORBIDDEN, "\ufffd")
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Fills a template: html`<td>${value}</td>`. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(
    parts.map((part, i) => part + (i < values.length ? render(values[i]!) : "")).join(""),
    attachmentsOf(values),
  );
}

/** What can be saved from a content, in order. */
export function attachmentsOf(content: Content): readonly Attachment[] {
  if (content instanceof Markup) return content.attachments;
  return typeof content === "object" && content !== null ? content.flatMap(attachmentsOf) : [];
}

/** Text that is put in as it is: the page's own style and script. Never what came from a run. */
export const trusted = (text: string): Markup => new Markup(text);

/** Data for the page's script. `<` is written so that no value can close the element. */
export const jsonScript = (id: string, data: unknown): Markup =>
  html`<script type="application/json" id="${id}">${trusted(JSON.stringify(data).replace(/[<>&]/g, unicodeEscape))}</script>`;

const unicodeEscape = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A content as plain text: without tags, entities resolved. */
export const textOf = (content: Content): string =>
  render(content)
    .replace(/<[^>]*>/g, "")
    .replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => CHARACTERS[entity]!);

const CHARACTERS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(ENTITIES).map(([character, entity]) => [entity, character]),
);

function render(content: Content): string {
  if (content === null) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "string") return escapeHtml(content);
  if (typeof content === "number") return String(content);
  return content.map(render).join("");
}
