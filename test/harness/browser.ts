import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { onTestFinished } from "vitest";

const executablePath = "/usr/bin/chromium";

/** Tests with a browser are skipped, by this name, where Debian's chromium is not installed. */
export const hasBrowser = existsSync(executablePath);

export const withBrowser = hasBrowser ? "in chromium" : "in chromium, which is not installed here: skipped";

/** Chromium without a window, a profile of its own, and nothing that it asks the network for by itself. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

export interface WatchedPage {
  readonly page: Page;
  /** Dialogs, errors, refusals of the page's policy, and requests for anything but files. */
  readonly trouble: string[];
}

/** A page of which everything is noted that a report must not do. */
export const openWatched = async (browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  onTestFinished(() => context.close());
  const trouble: string[] = [];
  const page = await context.newPage();
  page.on("dialog", (dialog) => {
    trouble.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("pageerror", (error) => trouble.push(`error: ${error.message}`));
  page.on("console", (message) => trouble.push(`console: ${message.text()}`));
  page.on("request", (request) => {
    if (!request.url().startsWith("file:///")) trouble.push(`request: ${request.url()}`);
  });
  return { page, trouble };
};
