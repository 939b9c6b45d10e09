import { createHash } from "node:crypto";
import { htmlText } from "./html.ts";

/** What build.ts made for the browser. */
export interface ReportAssets {
  readonly style: string;
  readonly indexScript: string;
}

/**
 * Fetches the player. Only a script whose hash is allowed may do so ('strict-dynamic'); a `<script src>` in the page's text
 * may not, not even one of a file beside it. See README.md for why it is neither in the page nor allowed as 'self'.
 */
const playerLoader =
  'const s=document.createElement("script");s.src="../assets/session.js";' +
  's.onerror=()=>{document.getElementById("player").textContent="The player, assets/session.js, is not beside this report."};' +
  "document.head.append(s)";

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** The policy of a page: nothing, but its own style and at most one script, both by hash. */
const policyOf = (style: string, script: string | undefined): string => {
  const scripts =
    script === undefined
      ? "script-src 'none'"
      : script === playerLoader
        ? `script-src ${hashOf(script)} 'strict-dynamic' 'wasm-unsafe-eval'`
        : `script-src ${hashOf(script)}`;
  // The player fills templates with innerHTML, so that its pages can't have this.
  const sinks = script === playerLoader ? [] : ["require-trusted-types-for 'script'", "trusted-types 'none'"];
  return [
    "default-src 'none'",
    scripts,
    `style-src ${hashOf(style)}`,
    "base-uri 'none'",
    "form-action 'none'",
    ...sinks,
  ].join("; ");
};

export interface Page {
  readonly title: string;
  readonly style: string;
  readonly script: "none" | "player" | { readonly text: string };
}

/** What stands before and after a page's content. The policy is the first thing that can be obeyed. */
export const pageFrame = ({ title, style, script }: Page): { readonly before: string; readonly after: string } => {
  const text = script === "none" ? undefined : script === "player" ? playerLoader : script.text;
  return {
    before: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyOf(style, text)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${htmlText(title)}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
`,
    after: `${text === undefined ? "" : `<script>${text}</script>\n`}</body>\n</html>\n`,
  };
};
