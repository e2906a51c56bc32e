// What the page's script does: tooltips with exact values, a cursor in the figures, a search in the config, figures and tables
// as files.
// These functions run in the reader's browser: their source is put into the page, so they use nothing from outside
// but each other and one constant. Without them the page is complete and only less convenient.

import { csvText } from "./csvText.ts";
import { savedPatterns, savedStyle } from "./figure/figure.ts";
import { standaloneSvg } from "./figure/standalone.ts";

/** What the page's script needs of other modules. A bundler may write an imported name as it likes, so that none is used. */
declare const SAVING: {
  readonly style: string;
  readonly patterns: string;
  readonly standaloneSvg: typeof standaloneSvg;
  readonly csvText: typeof csvText;
};

/** Shows `text` at the pointer, inside the window. */
function showTip(tip: HTMLElement, text: string, event: PointerEvent): void {
  tip.textContent = text;
  tip.hidden = false;
  const room = 14;
  const left =
    event.clientX + room + tip.offsetWidth > innerWidth
      ? event.clientX - room - tip.offsetWidth
      : event.clientX + room;
  const top = Math.min(event.clientY + room, innerHeight - tip.offsetHeight - 4);
  tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
}

/** Index of the number in `sorted` that is nearest to `value`. */
function nearestIndex(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle;
    else high = middle;
  }
  return Math.abs(sorted[low]! - value) <= Math.abs(sorted[high]! - value) ? low : high;
}

/** Takes over the texts of `<title>` elements, which browsers show late and only on some devices. */
function adoptTitles(): void {
  for (const title of document.querySelectorAll("figure svg title")) {
    const owner = title.parentElement!;
    owner.dataset.tip = title.textContent ?? "";
    owner.setAttribute("aria-label", owner.dataset.tip);
    title.remove();
  }
}

/** A line and a dot that follow the pointer along a figure's points, and the text of the nearest one. */
function followPoints(svg: SVGSVGElement, tip: HTMLElement): void {
  const xs = svg.dataset.x!.split(" ").map(Number);
  const ys = svg.dataset.y!.split(",");
  const tips = JSON.parse(document.getElementById(svg.dataset.tips!)!.textContent!) as readonly string[];
  const [left, top, right, bottom] = svg.dataset.box!.split(" ").map(Number) as [
    number,
    number,
    number,
    number,
  ];
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "g");
  cursor.setAttribute("class", "cursor");
  cursor.innerHTML = `<path d="M0 ${top}V${bottom}"/><circle r="3.5"/>`;
  cursor.style.display = "none";
  svg.append(cursor);
  svg.addEventListener("pointermove", (event) => {
    const { x } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM()!.inverse());
    const over = event.target as Element;
    const inside = x >= left - 4 && x <= right + 4 && xs.length > 0 && over.closest("[data-tip]") === null;
    cursor.style.display = inside ? "" : "none";
    if (!inside) return;
    const index = nearestIndex(xs, x);
    cursor.setAttribute("transform", `translate(${xs[index]} 0)`);
    const dot = cursor.lastElementChild!;
    dot.setAttribute("cy", ys[index]!);
    dot.toggleAttribute("hidden", ys[index] === "");
    showTip(tip, tips[index]!, event);
    event.stopPropagation();
  });
  svg.addEventListener("pointerleave", () => {
    cursor.style.display = "none";
    tip.hidden = true;
  });
}

/** Shows the options whose path or value has the text that is typed. */
function filterOptions(): void {
  const input = document.getElementById("option-filter") as HTMLInputElement | null;
  if (input === null) return;
  const rows = [...document.querySelectorAll<HTMLElement>(".options tr:not(.group)")];
  input.closest<HTMLElement>(".filter")!.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent!.toLowerCase().includes(wanted);
    for (const group of document.querySelectorAll<HTMLElement>(".options tbody"))
      group.hidden = group.querySelector("tr:not(.group):not([hidden])") === null;
    const found = rows.filter((row) => !row.hidden).length;
    document.getElementById("option-count")!.textContent = wanted === "" ? "" : `${found} of ${rows.length}`;
  });
}

/** A figure as it is shown, as a document of its own. */
function figureFile(figure: HTMLElement): string {
  const text = (element: Element): string => new XMLSerializer().serializeToString(element);
  const panels = [...figure.querySelectorAll<SVGSVGElement>("svg")].filter(
    (svg) => svg.closest(".legend") === null && svg.getClientRects().length > 0,
  );
  const plain = panels.map((panel) => {
    const copy = panel.cloneNode(true) as SVGSVGElement;
    for (const cursor of copy.querySelectorAll(".cursor")) cursor.remove();
    for (const owner of copy.querySelectorAll<SVGElement>("[data-tip]")) {
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = owner.dataset.tip!;
      owner.append(title);
      owner.removeAttribute("data-tip");
      owner.removeAttribute("aria-label");
    }
    return text(copy);
  });
  return SAVING.standaloneSvg({
    title: figure.dataset.title!,
    legend: [...figure.querySelectorAll(".legend li")].map((item) => ({
      swatch: text(item.querySelector("svg")!),
      label: item.querySelector("span")!.textContent!,
    })),
    panels: plain,
    columns: Number(figure.dataset.columns),
    style: SAVING.style,
    patterns: SAVING.patterns,
  });
}

/** A table with the values behind its texts. */
function tableFile(table: HTMLElement): string {
  const rows = [...table.querySelectorAll("tr")];
  return SAVING.csvText(
    rows.map((row) =>
      [...row.children].map((cell) => (cell as HTMLElement).dataset.value ?? cell.textContent ?? ""),
    ),
  );
}

/** Puts a button at each figure and table that saves it. The files are made when they are asked for. */
function offerFiles(): void {
  const taken = new Map<string, number>();
  const offer = (place: Element, owner: HTMLElement, kind: "svg" | "csv"): void => {
    const name = `${owner.dataset.name}.${kind}`;
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    const file = count > 1 ? `${owner.dataset.name}-${count}.${kind}` : name;
    const button = document.createElement("button");
    button.className = "save";
    button.type = "button";
    button.textContent = kind.toUpperCase();
    button.title = `Save as ${file}`;
    button.addEventListener("click", () => {
      const content = kind === "svg" ? figureFile(owner) : tableFile(owner);
      const type = kind === "svg" ? "image/svg+xml" : "text/csv";
      const url = URL.createObjectURL(new Blob([content], { type }));
      const link = document.createElement("a");
      link.href = url;
      link.download = file;
      document.body.append(link);
      link.click();
      link.remove();
      // The browser has taken the file over by then.
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    });
    place.prepend(button);
  };
  for (const figure of document.querySelectorAll<HTMLElement>("figure[data-name]"))
    if (figure.querySelector(".panels svg, .drawings svg") !== null)
      offer(figure.querySelector("figcaption")!, figure, "svg");
  for (const table of document.querySelectorAll<HTMLElement>("table[data-name]"))
    offer(table.querySelector("caption")!, table, "csv");
}

function start(): void {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  adoptTitles();
  for (const svg of document.querySelectorAll<SVGSVGElement>("svg[data-tips]")) followPoints(svg, tip);
  document.addEventListener("pointermove", (event) => {
    const owner = (event.target as Element).closest<HTMLElement>("[data-tip]");
    if (owner) showTip(tip, owner.dataset.tip!, event);
    else tip.hidden = true;
  });
  filterOptions();
  offerFiles();
}

const functions = [
  showTip,
  nearestIndex,
  adoptTitles,
  followPoints,
  filterOptions,
  figureFile,
  tableFile,
  offerFiles,
  start,
];

/** Text that no `</script>` in it can end. */
const literal = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");

/** The script's text. A name that a bundler shortens is shortened in all of them alike. */
export const pageScript: string = [
  `const SAVING = { style: ${literal(savedStyle)}, patterns: ${literal(savedPatterns)},
standaloneSvg: ${standaloneSvg}, csvText: ${csvText} };`,
  ...functions.map(String),
  `${start.name}();`,
].join("\n");
