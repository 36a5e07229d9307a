/** Reports in a real browser: no errors, nothing fetched, nothing wider than a phone, legible. */
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { htmlPolicyReport, htmlReport } from "../../src/report/html-report.ts";
import { FULL, hostile, withGuests } from "../support/full-result.ts";
import { MATRIX } from "../support/sample-matrix.ts";
import { contrastOf, foundOnPage } from "./on-page.ts";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PHONE = 390;
const DESK = 1280;

function isThere(): boolean {
  try {
    accessSync(CHROMIUM, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const THERE = isThere();
const NAME = THERE ? "a report in Chromium" : `a report in Chromium (skipped: no ${CHROMIUM})`;

interface View {
  readonly page: Page;
  /** Errors that the page reported, and what it wanted beside itself. */
  readonly trouble: string[];
}

const directory = mkdtempSync(join(tmpdir(), "vfio-cosim-browser-"));
let browser: Browser;

async function view(file: string): Promise<View> {
  const page = await browser.newPage({ viewport: { width: DESK, height: 900 } });
  const trouble: string[] = [];
  page.on("console", (message) => trouble.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", ({ message }) => trouble.push(message));
  page.on("request", (request) => {
    if (!request.url().endsWith(`/${file}`)) trouble.push(`wants ${request.url()}`);
  });
  page.on("dialog", (dialog) => trouble.push(`says ${dialog.message()}`));
  await page.goto(`file://${join(directory, file)}`);
  return { page, trouble };
}

afterAll(() => rmSync(directory, { recursive: true }));

/** Writes the pages and starts the browser that looks at them. */
async function start(): Promise<void> {
  const pages = {
    "full.html": await htmlReport(FULL),
    "dense.html": await htmlReport(withGuests(64)),
    "hostile.html": await htmlReport(hostile()),
    "matrix.html": await htmlPolicyReport(MATRIX),
  };
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(directory, name), text);
  // The pages are our own; as root, as CI runs, Chromium has no sandbox.
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
}

describe.skipIf(!THERE)(NAME, () => {
  beforeAll(start, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  const files = ["full.html", "dense.html", "hostile.html", "matrix.html"];
  const schemes = ["light", "dark"] as const;

  it.each(files)("%s fits phone and desk in both schemes without errors", async (file) => {
    const { page, trouble } = await view(file);
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      for (const width of [PHONE, DESK]) {
        await page.setViewportSize({ width, height: 900 });
        const found = await page.evaluate(foundOnPage);
        expect(found.pageWidth).toBeLessThanOrEqual(width);
        expect(found.cutPlots).toEqual([]);
        expect(found.plots).toBeGreaterThan(1);
        expect(found.smallestText).toBeGreaterThanOrEqual(9);
      }
    }
    expect(trouble).toEqual([]);
    await page.close();
  });

  it("has text that stands out from what is behind it, in both schemes", async () => {
    const { page } = await view("full.html");
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      const { texts, background } = await page.evaluate(foundOnPage);
      expect(contrastOf(background, "rgb(0, 0, 0)") > 10).toBe(colorScheme === "light");
      const faint = texts.filter(({ colour, behind }) => contrastOf(colour, behind) < 4.5);
      expect(texts.length).toBeGreaterThan(12);
      expect(faint).toEqual([]);
    }
    await page.close();
  });

  it("is light on paper, whatever the screen is, and has the wide plots", async () => {
    const { page } = await view("full.html");
    await page.setViewportSize({ width: PHONE, height: 900 });
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    const { background } = await page.evaluate(foundOnPage);
    expect(background).toBe("rgb(255, 255, 255)");
    expect(await page.locator("nav").isVisible()).toBe(false);
    expect(await page.locator(".wide").first().isVisible()).toBe(true);
    await page.close();
  });

  it("is read without scripts, and links lead to sections", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`file://${join(directory, "dense.html")}`);
    await page.click('nav a[href="#ledger"]');
    expect(page.url()).toMatch(/#ledger$/);
    await page.locator("#guests summary").first().click();
    expect(await page.locator("#guests details figure").first().isVisible()).toBe(true);
    await context.close();
  });
});
