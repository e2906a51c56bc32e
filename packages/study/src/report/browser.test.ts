// The page in a real browser: what a reader sees and does. Skipped where there is no Chromium.

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunRecord } from "../record.ts";
import { faultyRun } from "../test/faultyRun.ts";
import { sampleRun } from "../test/sampleRun.ts";
import { createReport, renderReport } from "./report.ts";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = [process.env.ATOLL_CHROMIUM, ...places].find(
  (path) => path !== undefined && existsSync(path),
);
if (executablePath === undefined)
  process.stderr.write(
    "No Chromium found, so the report is not tried in a browser. Set ATOLL_CHROMIUM to its path.\n",
  );

const shapes = [
  [1, "ring"],
  [3, "ring"],
  [4, "fully_connected"],
  [5, "star"],
  [6, "ring"],
  [16, "fully_connected"],
  [40, "ring"],
] as const;

describe.skipIf(executablePath === undefined)("in Chromium", () => {
  let browser: Browser;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "atoll-report-"));
    browser = await chromium.launch({
      executablePath: executablePath!,
      headless: true,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    });
  });

  afterAll(async () => {
    await browser?.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** Opens a report from a file, as a reader does; fails on any error or request of the page. */
  async function open(
    report: string,
    o: { readonly width?: number; readonly script?: boolean; readonly dark?: boolean } = {},
  ): Promise<Page> {
    const path = join(directory, "report.html");
    await writeFile(path, report);
    const context = await browser.newContext({
      viewport: { width: o.width ?? 1280, height: 900 },
      javaScriptEnabled: o.script ?? true,
      colorScheme: o.dark ? "dark" : "light",
    });
    const page = await context.newPage();
    const troubles: string[] = [];
    page.on("pageerror", (error) => troubles.push(error.message));
    page.on("console", (message) => troubles.push(message.text()));
    page.on("request", (request) => {
      if (request.url() !== pathToFileURL(path).href) troubles.push(request.url());
    });
    await page.goto(pathToFileURL(path).href);
    expect(troubles).toEqual([]);
    return page;
  }

  test("it is one well-formed document", async () => {
    const report = renderReport(sampleRun({ name: `<script>throw 1</script>&"'\u0000`, nodes: 16 }));
    const page = await open(report);
    const trouble = await page.evaluate((source) => {
      // Scripts hold operators that XML would read as markup; the style holds none.
      const text = source.replace("<!doctype html>", "").replace(/(<script>)[\s\S]*?(<\/script>)/g, "$1$2");
      return (
        new DOMParser().parseFromString(text, "application/xhtml+xml").querySelector("parsererror")
          ?.textContent ?? null
      );
    }, report);
    expect(trouble).toBeNull();
    expect(await page.locator("h1").textContent()).toBe(`<script>throw 1</script>&"'\ufffd`);
    await page.context().close();
  });

  test.each([1280, 700, 400])(
    "at %i pixels nothing is wider than the window, and no text overlaps another in a figure",
    async (width) => {
      for (const [nodes, topology] of shapes) {
        const page = await open(renderReport(sampleRun({ nodes, topology, name: "n".repeat(200) })), {
          width,
        });
        expect(
          await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
        ).toBeLessThanOrEqual(0);
        expect(await page.evaluate(overlaps)).toEqual([]);
        await page.context().close();
      }
    },
  );

  test.each([1280, 700, 400])("at %i pixels the faults of few and of many nodes have room", async (width) => {
    const words = ` ${"w".repeat(150)} and so on.`.repeat(2);
    for (const options of [
      { nodes: 2, steps: 40 },
      { nodes: 24, steps: 100, rollBacks: 0.5 },
      { nodes: 1000, steps: 300, rate: 1 },
    ]) {
      const page = await open(renderReport(faultyRun({ rate: 0.4, words, ...options })), { width });
      expect(await page.locator("#faults svg[data-box]").count()).toBe(options.nodes > 24 ? 2 : 1);
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      ).toBeLessThanOrEqual(0);
      expect(await page.evaluate(overlaps)).toEqual([]);
      await page.context().close();
    }
  });

  const crowds: Readonly<Record<string, readonly RunRecord[]>> = {
    "three runs with long names": ["a", "b", "c"].map((end, seed) =>
      sampleRun({ name: `${"long-".repeat(40)}${end}`, seed, nodes: 3 + seed, steps: 400, H: 10 }),
    ),
    "forty runs": Array.from({ length: 40 }, (_, seed) =>
      sampleRun({ name: `run ${seed}`, seed, config: { options: { seed } } }),
    ),
    "one among a thousand nodes": [sampleRun({ nodes: 1000, steps: 60, H: 3, topology: "star" })],
    "nothing at all": [sampleRun({ steps: 0, valInterval: 0, outcome: "failed", message: "No memory." })],
    "few, empty and alone": [
      { config: {}, events: [], summary: null, truncated: true },
      sampleRun({ nodes: 1 }),
      sampleRun({ outcome: "unfinished" }),
    ],
  };

  test.each(Object.entries(crowds))(
    "%s have room at any width, on a light page and on a dark one",
    async (_, records) => {
      const report = createReport(records, { prices: { nodeHour: 2, gigabyte: 0.09 } });
      expect(Buffer.byteLength(report.page)).toBeLessThan(2e6);
      for (const width of [1280, 400]) {
        const page = await open(report.page, { width, dark: width === 400 });
        // What is folded away has to have room once it is opened, too.
        await page.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true;
        });
        expect(
          await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
        ).toBeLessThanOrEqual(0);
        expect(await page.evaluate(overlaps)).toEqual([]);
        expect(await page.evaluate(outsideOfDrawings)).toEqual([]);
        await page.context().close();
      }
    },
  );

  test("every figure and table can be saved; the tables and what figures draw are what the command writes", async () => {
    const report = createReport([sampleRun({ name: "a" }), sampleRun({ name: "b, <2>", seed: 2, nodes: 5 })]);
    const page = await open(report.page);
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    const written = new Map(report.files().map(({ name, content }) => [name, content]));
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator("button.save:visible").first().click(),
    ]);
    expect(await readFile((await download.path())!, "utf8")).toBe(written.get(download.suggestedFilename()));
    const saved = await page.evaluate(saveAll);
    for (const { name, text } of saved) {
      const expected = written.get(name);
      expect(expected, name).toBeDefined();
      if (name.endsWith(".csv")) expect(text).toBe(expected);
      else expect(await page.evaluate(svgFacts, text)).toEqual(await page.evaluate(svgFacts, expected!));
    }
    // A figure of a part of the run that is not shown is saved when it is.
    const names = saved.map(({ name }) => name);
    const hidden = [...written.keys()].filter((name) => !names.includes(name));
    expect(hidden.every((name) => /^timeline-(?:first|last)-/.test(name))).toBe(true);
    await page.locator(".window-last").first().check();
    expect(await page.locator("figure.window-last:visible").count()).toBe(1);
    await page.context().close();
  });

  test("a saved figure is a picture of its own, on white also where the page is dark", async () => {
    const report = createReport([sampleRun(), sampleRun({ seed: 2 })]);
    // A page of its own: the report's policy lets it load nothing, not even its own figures.
    const page = await browser.newPage({ colorScheme: "dark" });
    for (const { name, content } of report.files().filter((file) => file.name.endsWith(".svg"))) {
      const shown = await page.evaluate(async (svg) => {
        const image = new Image();
        image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
        await image.decode();
        const canvas = document.createElement("canvas");
        canvas.width = image.naturalWidth;
        canvas.height = image.naturalHeight;
        const context = canvas.getContext("2d")!;
        context.drawImage(image, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        let drawn = 0;
        for (let i = 0; i < data.length; i += 4) if (data[i]! + data[i + 1]! + data[i + 2]! < 600) drawn++;
        return { corner: [...data.slice(0, 4)], part: drawn / (data.length / 4) };
      }, content);
      expect(shown.corner, name).toEqual([255, 255, 255, 255]);
      expect(shown.part, name).toBeGreaterThan(0.002);
    }
    await page.context().close();
  });

  test("pointing at a run's line says its name", async () => {
    const page = await open(
      renderReport(sampleRun({ name: "first" }), sampleRun({ name: "second", seed: 2 })),
    );
    await page
      .locator("#loss .run .target")
      .first()
      .hover({ force: true, position: { x: 2, y: 2 } });
    const tips = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("#loss .run")].map((run) => run.dataset.tip),
    );
    expect(new Set(tips)).toEqual(new Set(["first", "second"]));
    await page.context().close();
  });

  test("on paper it is light and has no buttons", async () => {
    const page = await open(renderReport(sampleRun()), { dark: true });
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    const looks = await page.evaluate(() => ({
      paper: getComputedStyle(document.documentElement).backgroundColor,
      buttons: [...document.querySelectorAll(".save, .switch")].filter((e) => e.getClientRects().length > 0)
        .length,
    }));
    expect(looks).toEqual({ paper: "rgb(255, 255, 255)", buttons: 0 });
    await page.context().close();
  });

  test("pointing at a figure shows the exact values of the nearest step", async () => {
    const page = await open(renderReport(sampleRun()));
    const panel = page.locator(".panel.linear").first();
    const place = (await panel.boundingBox())!;
    await panel.hover({ position: { x: (56 / 520) * place.width + 1, y: place.height / 3 } });
    expect(await page.locator(".tip").textContent()).toMatch(/^step 1\ntraining loss \d\.\d+/);
    await page.locator(".bar").nth(1).hover();
    expect(await page.locator(".tip").textContent()).toMatch(/^node 1\ncompute [\d.]+ s/);
    await page.locator(".link .target").first().hover();
    expect(await page.locator(".tip").textContent()).toMatch(/^0 ↔ 1: [\d.]+ MB\/s, latency/);
    await page.context().close();
  });

  test("pointing at a node's lane says how it fared", async () => {
    const page = await open(renderReport(faultyRun({ nodes: 2, rate: 0.1, rollBacks: 0 })));
    await page.locator("#faults .node-lane").first().hover();
    expect(await page.locator(".tip").textContent()).toMatch(
      /^node 0\ncrashed (once|\d+ times), down for \d/,
    );
    await page.context().close();
  });

  test("the config can be searched", async () => {
    const page = await open(renderReport(sampleRun()));
    await page.fill("#option-filter", "learningrate");
    expect(await page.locator(".options tr:visible").allTextContents()).toEqual([
      "What they came to",
      "optimizer.learningRate0.001",
    ]);
    await page.context().close();
  });

  test("without a script it is complete, and the loss axis can be switched", async () => {
    const page = await open(renderReport(sampleRun()), { script: false });
    const shown = async () => [
      await page.locator(".panel.linear:visible").count(),
      await page.locator(".panel.log:visible").count(),
    ];
    expect(await shown()).toEqual([3, 0]);
    await page.locator("#loss-log").check();
    expect(await shown()).toEqual([0, 3]);
    expect(await page.locator("#option-filter").isVisible()).toBe(false);
    await page.context().close();
  });
});

/** Pairs of texts of one figure that cover each other; runs in the page. */
function overlaps(): readonly string[] {
  const found: string[] = [];
  for (const svg of document.querySelectorAll("figure svg")) {
    const texts = [...svg.querySelectorAll("text")].map((text) => ({
      text: text.textContent ?? "",
      box: text.getBoundingClientRect(),
    }));
    for (const [i, a] of texts.entries())
      for (const b of texts.slice(i + 1)) {
        const width = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const height = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        if (width > 1 && height > 3) found.push(`${a.text} / ${b.text}`);
      }
  }
  return found;
}

/** Texts that reach beyond the edges of their drawing; runs in the page. */
function outsideOfDrawings(): readonly string[] {
  const found: string[] = [];
  for (const svg of document.querySelectorAll("figure svg")) {
    const box = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const { left, right } = text.getBoundingClientRect();
      if (left < box.left - 2 || right > box.right + 2) found.push(text.textContent ?? "");
    }
  }
  return found;
}

/** What an SVG document draws: its size, its texts, and how many marks of each class; runs in the page. */
function svgFacts(source: string): unknown {
  const svg = new DOMParser().parseFromString(source, "image/svg+xml").documentElement;
  const classes: Record<string, number> = {};
  for (const mark of svg.querySelectorAll("path, rect, circle")) {
    const name = `${mark.tagName} ${mark.getAttribute("class") ?? ""}`;
    classes[name] = (classes[name] ?? 0) + 1;
  }
  return {
    root: svg.tagName,
    size: svg.getAttribute("viewBox"),
    texts: [...svg.querySelectorAll("text")].map((text) => text.textContent),
    titles: svg.querySelectorAll("title").length,
    classes,
  };
}

/** Clicks every button that saves something, and takes what would be saved; runs in the page. Browsers end a long row of downloads. */
async function saveAll(): Promise<readonly { readonly name: string; readonly text: string }[]> {
  const blobs: Blob[] = [];
  const names: string[] = [];
  URL.createObjectURL = (blob) => {
    blobs.push(blob as Blob);
    return "";
  };
  HTMLAnchorElement.prototype.click = function click() {
    names.push(this.download);
  };
  for (const button of document.querySelectorAll<HTMLElement>("button.save"))
    if (button.getClientRects().length > 0) button.click();
  const texts = await Promise.all(blobs.map((blob) => blob.text()));
  return names.map((name, i) => ({ name, text: texts[i]! }));
}
