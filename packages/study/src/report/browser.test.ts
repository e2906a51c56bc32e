// The page in a real browser: what a reader sees and does. Skipped where there is no Chromium.

import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { faultyRun } from "../test/faultyRun.ts";
import { sampleRun } from "../test/sampleRun.ts";
import { renderReport } from "./report.ts";

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
    o: { readonly width?: number; readonly script?: boolean } = {},
  ): Promise<Page> {
    const path = join(directory, "report.html");
    await writeFile(path, report);
    const context = await browser.newContext({
      viewport: { width: o.width ?? 1280, height: 900 },
      javaScriptEnabled: o.script ?? true,
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
    await page.locator(".node-lane").first().hover();
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
