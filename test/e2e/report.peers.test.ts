import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyIdOf, manySessions, writeSessions, type TestSession } from "../audit-review/report-record.ts";
import { hasBrowser, openWatched, startBrowser, withBrowser } from "../harness/browser.ts";
import { pep, startEndpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

/** PEP_TEST_SESSIONS=10000 makes the record that the README's figures are of. */
const sessions: readonly TestSession[] = [...manySessions(Number(process.env["PEP_TEST_SESSIONS"] ?? 1000))];

const keysIn = (session: TestSession): readonly string[] => (session.refused === true ? [] : session.computers);

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));

const figures = (count: number): string => count.toLocaleString("en-US");

describe.skipIf(!hasBrowser)(`a report ${withBrowser}`, () => {
  let browser: Browser;
  const directory = mkdtempSync(join(tmpdir(), "pep-report-"));
  const index = pathToFileURL(join(directory, "report", "index.html")).href;
  beforeAll(async () => {
    browser = await startBrowser();
    writeSessions(join(directory, "data"), sessions);
    const exported = await pep([
      "audit",
      "export",
      "--html",
      join(directory, "report"),
      "--data-dir",
      join(directory, "data"),
    ]);
    if (exported.status !== 0) throw new Error(exported.stderr);
  }, 300_000);
  afterAll(async () => {
    await browser.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const counted = (page: Page): Promise<string | null> => page.locator("#count").textContent();
  const expected = (shown: readonly TestSession[]): string => {
    const keys = shown.flatMap(keysIn).length;
    return `${figures(shown.length)} of ${figures(sessions.length)} sessions, ${figures(keys)} ${keys === 1 ? "key" : "keys"} disclosed in them`;
  };
  const numbersIn = async (page: Page, table: string): Promise<Map<string, number>> => {
    const rows = await page.evaluate<[string, string][]>(
      `[...document.querySelectorAll("${table} tbody tr")].map((row) => [row.querySelector("th").textContent, row.querySelector(".number").textContent])`,
    );
    return new Map(rows.map(([name, count]) => [name, Number(count.replaceAll(",", ""))]));
  };
  const tally = (names: readonly string[]): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    return counts;
  };

  test("a session over SSH is found, its screen played, and jumped through", async () => {
    const endpoint = await startEndpoint();
    const { dataDirectory } = endpoint;
    const keys = await endpoint.ssh("support", "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Format json");
    expect(keys.status, keys.stderr).toBe(0);
    const terminal = endpoint.terminal("support", { columns: 100, rows: 30 });
    await terminal.waitFor(/PS.*>\s*$/);
    terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-07 -Format list\r");
    const screen = await terminal.waitFor(/\d{6}(-\d{6}){7}[^]*PS.*>\s*$/);
    const recoveryKey = /\d{6}(?:-\d{6}){7}/.exec(screen)?.[0] ?? "";
    terminal.type("\u0004");
    await terminal.exited;

    const folder = join(temporaryDirectory(), "report");
    const exported = await pep(["audit", "export", "--html", folder, "--data-dir", dataDirectory]);
    expect(exported.status, exported.stderr).toBe(0);
    expect(endpoint.events().filter(({ type }) => type === "review")).toMatchObject([{ action: "export" }]);
    for (const path of filesBelow(folder)) {
      if (statSync(path).isFile()) expect(readFileSync(path, "utf8")).not.toContain(recoveryKey);
    }

    const { page, trouble } = await openWatched(browser, { reducedMotion: "reduce" });
    await page.goto(pathToFileURL(join(folder, "index.html")).href);
    expect(await page.getByRole("heading", { name: "The record holds" }).isVisible()).toBe(true);
    await page.getByLabel("Computer").fill("demo-pc-07");
    await expect.poll(() => counted(page)).toBe("1 of 2 sessions, 1 key disclosed in them");
    await page.locator("#sessions tbody a").click();
    const player = page.locator(".ap-term-text");
    await expect.poll(() => player.innerText()).toContain("PS support@pep>");
    const marks = page.getByRole("navigation", { name: "Jump to" }).getByRole("button");
    expect((await marks.allTextContents()).join("\n")).toMatch(
      /disclosed [0-9A-F-]{36}\n.*Get-RecoveryKeys: exit status 0/,
    );
    await marks.last().click();
    // The screen at a mark depends on what was painted until then; that one jumped there does not.
    await expect.poll(() => page.locator("#position").textContent()).toContain("exit status 0");
    // Less motion was asked for: a jump does not start to play. The keyboard does.
    await expect.poll(() => page.locator(".ap-playback-button").getAttribute("aria-label")).toBe("Play");
    await marks.first().click();
    await expect.poll(() => page.locator("#position").textContent()).toContain("disclosed");
    await page.locator(".ap-playback-button").focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => player.innerText()).toMatch(/•{55}/);
    expect(await page.getByRole("table").textContent()).toContain("OpenSSH");
    expect(trouble).toEqual([]);
  }, 120_000);

  test("filters show what the log has, and the address keeps them", async () => {
    const { page, trouble } = await openWatched(browser);
    await page.goto(index);
    expect(await counted(page)).toBe(expected(sessions));
    const reset = async (): Promise<void> => page.getByRole("button", { name: "Show all" }).click();

    await page.getByLabel("User").fill("Carol");
    expect(await counted(page)).toBe(expected(sessions.filter(({ user }) => user === "carol")));
    await page.getByLabel("Command").selectOption("verify-cert");
    const both = sessions.filter(
      ({ user, command, refused }) => user === "carol" && command === "verify-cert" && refused !== true,
    );
    expect(await counted(page)).toBe(expected(both));
    expect(page.url()).toContain("#user=Carol&command=verify-cert");
    await page.locator("#sessions tbody a").first().click();
    await page.getByRole("link", { name: "All sessions" }).waitFor();
    await page.goBack();
    await expect.poll(() => counted(page)).toBe(expected(both));
    await reset();
    expect(await counted(page)).toBe(expected(sessions));

    const target = sessions.find((session) => keysIn(session).length > 1);
    const keyId = keyIdOf(target?.sessionId ?? "", 1);
    await page.getByLabel("Key id begins with").fill(keyId.slice(0, 9).toLowerCase());
    expect(await counted(page)).toBe(expected(target === undefined ? [] : [target]));
    await reset();
    await page.getByLabel("Outcome").selectOption("refusals");
    expect(await counted(page)).toBe(expected(sessions.filter(({ refused }) => refused === true)));
    await page.getByLabel("Outcome").selectOption("failed");
    expect(await counted(page)).toBe(expected(sessions.filter(({ exitStatus }) => exitStatus !== 0)));
    await reset();
    await page.getByLabel("From").fill("2025-02-01");
    await page.getByLabel("To", { exact: true }).fill("2025-02-28");
    const inFebruary = sessions.filter(({ startedAt }) => startedAt.toISOString().startsWith("2025-02"));
    expect(await counted(page)).toBe(expected(inFebruary));
    await reset();
    await page.getByLabel("Computer").fill("no such computer");
    expect(await counted(page)).toBe(expected([]));
    expect(trouble).toEqual([]);
  }, 120_000);

  test("charts count what the log has, for the sessions that are shown", async () => {
    const { page, trouble } = await openWatched(browser);
    await page.goto(`${index}#from=2025-03-01&to=2025-03-31`);
    const shown = sessions.filter(({ startedAt }) => startedAt.toISOString().startsWith("2025-03"));
    expect(await counted(page)).toBe(expected(shown));
    const dayOf = ({ startedAt }: TestSession): string => startedAt.toISOString().slice(0, 10);
    expect(await numbersIn(page, "#sessions-over-time")).toEqual(tally(shown.map(dayOf)));
    const keyDays = shown.flatMap((session) => keysIn(session).map(() => dayOf(session)));
    expect(await numbersIn(page, "#disclosures-over-time")).toEqual(tally(keyDays));
    const bars = await page.locator("#sessions-over-time rect title").allTextContents();
    expect(bars).toContain(`2025-03-31: ${shown.filter((session) => dayOf(session) === "2025-03-31").length} sessions`);
    expect(await numbersIn(page, "#by-user")).toEqual(tally(shown.map(({ user }) => user)));
    const byComputer = tally(shown.flatMap(keysIn));
    const top = await numbersIn(page, "#by-computer");
    expect(top.size).toBe(8);
    for (const [computer, count] of top) expect(byComputer.get(computer)).toBe(count);
    expect(Math.max(...top.values())).toBe(Math.max(...byComputer.values()));
    await page.locator("#by-user button").first().click();
    const [first = ""] = await page.locator("#by-user button").allTextContents();
    expect(await counted(page)).toBe(expected(shown.filter(({ user }) => user === first)));
    // A year is too long for days: the same numbers, by week.
    await page.goto(index);
    await page.reload();
    const weeks = await numbersIn(page, "#sessions-over-time");
    expect(weeks.size).toBe(53);
    expect([...weeks.values()].reduce((sum, count) => sum + count, 0)).toBe(sessions.length);
    expect(trouble).toEqual([]);
  }, 120_000);

  test("everything can be reached and done by keyboard", async () => {
    const { page } = await openWatched(browser);
    await page.goto(index);
    const focused = (): Promise<string> => page.evaluate("document.activeElement.textContent");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    const header = page.getByRole("columnheader", { name: "Keys", exact: true });
    await header.getByRole("button").focus();
    await page.keyboard.press("Enter");
    expect(await header.getAttribute("aria-sort")).toBe("descending");
    await page.keyboard.press("Enter");
    expect(await header.getAttribute("aria-sort")).toBe("ascending");
    await page.getByRole("button", { name: "Next" }).focus();
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("Next");
    expect(await page.locator("#pages [role=status]").textContent()).toBe(
      `101 to 200 of ${figures(sessions.length)} sessions`,
    );
    await page.locator("#sessions tbody a").first().focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: /^Session S-/ }).waitFor();
  });

  test("landmarks, tables and controls have names", async () => {
    const { page } = await openWatched(browser);
    await page.goto(index);
    for (const landmark of ["banner", "main", "search"] as const)
      expect(await page.getByRole(landmark).count()).toBe(1);
    expect(await page.getByRole("heading", { level: 1 }).allTextContents()).toEqual(["Report on the record"]);
    for (const label of ["User", "From", "To", "Command", "Key id begins with", "Computer", "Outcome"]) {
      expect(await page.getByLabel(label, { exact: true }).count(), label).toBe(1);
    }
    expect(await page.getByRole("navigation", { name: "Pages of the list" }).count()).toBe(1);
    expect(await page.getByRole("region", { name: "List of sessions" }).getByRole("columnheader").count()).toBe(8);
    expect(await page.getByRole("region", { name: "List of sessions" }).getByRole("rowheader").count()).toBe(100);
    expect(await page.getByRole("figure").count()).toBe(4);
    const tree = await page.locator("body").ariaSnapshot();
    expect(tree).not.toMatch(/- (button|link|textbox|combobox|img|figure)$/m);
    expect(await page.evaluate("document.documentElement.lang")).toBe("en");
    expect(
      await page.evaluate(
        "[...document.querySelectorAll('[id]')].length === new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size",
      ),
    ).toBe(true);
  });

  /** WCAG 2's contrast of an element's text with the nearest ground that is painted. */
  const contrastOf = (page: Page, selector: string): Promise<number> =>
    page.evaluate(`(() => {
      const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
      const light = (color) => {
        const [r, g, b] = numbers(color).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const element = document.querySelector(${JSON.stringify(selector)});
      let ground = element;
      while (numbers(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
      const [a, b] = [light(getComputedStyle(element).color), light(getComputedStyle(ground).backgroundColor)];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    })()`);

  test("is dark or light as the reader has it, with enough contrast in both", async () => {
    const grounds = new Set<string>();
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await openWatched(browser, { colorScheme });
      await page.goto(index);
      grounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
      for (const selector of [
        "h1",
        "header p",
        ".holds h2",
        "#filters label",
        "#sessions a",
        "#sessions td",
        ".tag.warn",
        "#sessions thead th",
        "summary",
        ".link",
      ]) {
        expect(await contrastOf(page, selector), `${selector}, ${colorScheme}`).toBeGreaterThan(4.5);
      }
    }
    expect(grounds.size).toBe(2);
  });

  test("fits a narrow window without scrolling sideways", async () => {
    const { page } = await openWatched(browser, { viewport: { width: 360, height: 700 } });
    for (const url of [
      index,
      pathToFileURL(join(directory, "report", "sessions", `${sessions[0]?.sessionId}.html`)).href,
    ]) {
      await page.goto(url);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
    }
  });

  test("prints every session that is shown, without what only a screen can use", async () => {
    const { page } = await openWatched(browser, { colorScheme: "dark" });
    await page.goto(`${index}#from=2025-03-01&to=2025-05-31`);
    const shown = sessions.filter(({ startedAt }) => /^2025-0[345]/.test(startedAt.toISOString()));
    expect(shown.length).toBeGreaterThan(100);
    await page.evaluate(
      "addEventListener('beforeprint', () => { window.printed = document.querySelectorAll('#sessions tbody tr').length; })",
    );
    const pdf = await page.pdf({ format: "A4" });
    expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
    expect(await page.evaluate("window.printed")).toBe(shown.length);
    await expect.poll(() => page.locator("#sessions tbody tr").count()).toBe(100);
    await page.emulateMedia({ media: "print" });
    expect(await page.locator(".fields").isVisible()).toBe(false);
    expect(await page.locator("#count").isVisible()).toBe(true);
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(255, 255, 255)");
  }, 60_000);

  test("says that it needs its script, and shows events without", async () => {
    const { page } = await openWatched(browser, { javaScriptEnabled: false });
    await page.goto(index);
    expect(await page.getByText("needs JavaScript").isVisible()).toBe(true);
    await page.goto(pathToFileURL(join(directory, "report", "sessions", `${sessions[0]?.sessionId}.html`)).href);
    expect(await page.getByRole("rowheader", { name: "Session started" }).count()).toBe(1);
  });
});
