import { type Candidate, type Completion, sharedPrefix } from "../language/complete.ts";
import { graphemes } from "../text/cells.ts";
import { type History, remember, searchBack } from "./history.ts";
import type { KeyEvent } from "./key-decoder.ts";

/** Longer than any honest line (200 key ids fit); the rest of a longer one is dropped. */
export const maximumLineLength = 8192;

export interface Editor {
  readonly text: string;
  /** Index into `text`, always between two characters. */
  readonly cursor: number;
  readonly history: History;
  /** Where in the history the person is, and the line they left for it. */
  readonly recalled: { readonly at: number; readonly draft: string } | undefined;
  readonly search: { readonly query: string; readonly at: number | undefined } | undefined;
  /** The list under the prompt; `chosen` is -1 until Tab goes through it. */
  readonly choice:
    | { readonly candidates: readonly Candidate[]; readonly chosen: number; readonly start: number }
    | undefined;
  readonly killed: string;
}

export type Effect =
  | { readonly type: "submit"; readonly line: string }
  | { readonly type: "interrupt"; readonly line: string }
  | { readonly type: "leave" }
  | { readonly type: "clear-screen" };

export interface Edited {
  readonly editor: Editor;
  readonly effect?: Effect;
}

export type Complete = (text: string, cursor: number) => Completion;

export const emptyEditor: Editor = {
  text: "",
  cursor: 0,
  history: [],
  recalled: undefined,
  search: undefined,
  choice: undefined,
  killed: "",
};

const previous = (text: string, cursor: number): number =>
  cursor - (graphemes(text.slice(0, cursor)).at(-1)?.length ?? 0);
const next = (text: string, cursor: number): number => cursor + (graphemes(text.slice(cursor))[0]?.length ?? 0);

/** Words as bash moves over them: letters and digits; a hyphen parts them, so `Get-RecoveryKeys` is two. */
const wordLeft = (text: string, cursor: number): number =>
  cursor - (/[\p{L}\p{M}\p{N}]*[^\p{L}\p{M}\p{N}]*$/u.exec(text.slice(0, cursor))?.[0].length ?? 0);
const wordRight = (text: string, cursor: number): number =>
  cursor + (/^[^\p{L}\p{M}\p{N}]*[\p{L}\p{M}\p{N}]*/u.exec(text.slice(cursor))?.[0].length ?? 0);

/** The next place between two characters: what an edit brings together may have become one (the halves of a flag). */
const snap = (text: string, cursor: number): number => {
  let at = 0;
  for (const grapheme of graphemes(text)) {
    if (at >= cursor) break;
    at += grapheme.length;
  }
  return at;
};

const write = (editor: Editor, text: string, cursor: number): Editor => ({
  ...editor,
  text,
  cursor: snap(text, cursor),
  choice: undefined,
});
const move = (editor: Editor, cursor: number): Editor => ({ ...editor, cursor, choice: undefined });

const insert = (editor: Editor, typed: string): Editor => {
  const room = maximumLineLength - editor.text.length;
  const kept = typed.length <= room ? typed : graphemesWithin(typed, room);
  const text = editor.text.slice(0, editor.cursor) + kept + editor.text.slice(editor.cursor);
  return write(editor, text, editor.cursor + kept.length);
};

const graphemesWithin = (text: string, length: number): string => {
  let kept = "";
  for (const grapheme of graphemes(text.slice(0, length + 64))) {
    if (kept.length + grapheme.length > length) break;
    kept += grapheme;
  }
  return kept;
};

const kill = (editor: Editor, from: number, to: number): Editor => ({
  ...write(editor, editor.text.slice(0, from) + editor.text.slice(to), from),
  killed: from === to ? editor.killed : editor.text.slice(from, to),
});

const recall = (editor: Editor, step: -1 | 1): Editor => {
  const { history, recalled } = editor;
  const at = (recalled?.at ?? history.length) + step;
  if (at < 0 || at > history.length) return editor;
  const draft = recalled?.draft ?? editor.text;
  const text = at === history.length ? draft : (history[at] ?? "");
  return {
    ...write(editor, text, text.length),
    recalled: at === history.length ? undefined : { at, draft },
  };
};

const replaceWith = (editor: Editor, start: number, text: string): Editor =>
  write(editor, editor.text.slice(0, start) + text + editor.text.slice(editor.cursor), start + text.length);

/** Tab: take the only candidate, else what all share, else go through them; shift goes back. */
const tab = (editor: Editor, step: -1 | 1, complete: Complete): Editor => {
  if (editor.choice !== undefined) {
    const { candidates, chosen, start } = editor.choice;
    const at = chosen < 0 && step < 0 ? candidates.length - 1 : (chosen + step + candidates.length) % candidates.length;
    return {
      ...replaceWith(editor, start, candidates[at]?.insert ?? ""),
      choice: { candidates, chosen: at, start },
    };
  }
  const { start, end, candidates } = complete(editor.text, editor.cursor);
  const [only] = candidates;
  if (only === undefined) return editor;
  if (candidates.length === 1) {
    const suffix = editor.cursor === editor.text.length ? only.suffix : "";
    return replaceWith(editor, start, only.insert + suffix);
  }
  const shared = sharedPrefix(candidates);
  const longer = shared.length > end - start ? replaceWith(editor, start, shared) : editor;
  return { ...longer, choice: { candidates, chosen: -1, start } };
};

/** The rest of the first candidate, shown dim after the cursor and taken by the right arrow or End. */
export const ghostOf = (editor: Editor, complete: Complete): string => {
  if (editor.cursor !== editor.text.length || editor.text.trim() === "" || editor.choice !== undefined) return "";
  if (editor.search !== undefined) return "";
  const { start, end, candidates } = complete(editor.text, editor.cursor);
  const typed = editor.text.slice(start, end);
  const first = candidates.find(({ insert }) => insert.toLowerCase().startsWith(typed.toLowerCase()));
  return typed === "" || first === undefined ? "" : first.insert.slice(typed.length);
};

const submit = (editor: Editor): Edited => ({
  editor: { ...emptyEditor, killed: editor.killed, history: remember(editor.history, editor.text) },
  effect: { type: "submit", line: editor.text },
});

const interrupt = (editor: Editor): Edited => ({
  editor: { ...emptyEditor, killed: editor.killed, history: editor.history },
  effect: { type: "interrupt", line: editor.text },
});

/** Ctrl-R: what is typed is searched for; anything else takes the line found and does its own work. */
const searching = (editor: Editor, search: NonNullable<Editor["search"]>, event: KeyEvent): Editor | undefined => {
  const find = (query: string, before: number): Editor => {
    const at = searchBack(editor.history, query, before);
    const line = at === undefined ? editor.text : (editor.history[at] ?? "");
    return { ...write(editor, line, line.length), search: { query, at } };
  };
  if (event.type === "text") return event.pasted ? undefined : find(search.query + event.text, editor.history.length);
  if (event.name === "backspace" && !event.alt) {
    const query = search.query.slice(0, previous(search.query, search.query.length));
    return find(query, editor.history.length);
  }
  if (event.ctrl && event.name === "r") return find(search.query, search.at ?? editor.history.length);
  if (event.ctrl && (event.name === "g" || event.name === "c"))
    return {
      ...write(editor, editor.recalled?.draft ?? "", (editor.recalled?.draft ?? "").length),
      search: undefined,
      recalled: undefined,
    };
  if (event.name === "escape") return { ...editor, search: undefined, recalled: undefined };
  return undefined;
};

const editKey = (editor: Editor, event: KeyEvent & { type: "key" }, complete: Complete): Edited => {
  const { text, cursor } = editor;
  const only = (changed: Editor): Edited => ({ editor: changed });
  const name = event.ctrl ? `ctrl-${event.name}` : event.alt ? `alt-${event.name}` : event.name;
  switch (name) {
    case "enter":
    case "alt-enter":
      return submit(editor);
    case "tab":
      return only(tab(editor, event.shift ? -1 : 1, complete));
    case "backspace":
    case "ctrl-h":
      return only(write(editor, text.slice(0, previous(text, cursor)) + text.slice(cursor), previous(text, cursor)));
    case "delete":
      return only(write(editor, text.slice(0, cursor) + text.slice(next(text, cursor)), cursor));
    case "ctrl-d":
      if (text === "") return { editor, effect: { type: "leave" } };
      return only(write(editor, text.slice(0, cursor) + text.slice(next(text, cursor)), cursor));
    case "left":
    case "ctrl-b":
      return only(move(editor, previous(text, cursor)));
    case "right":
    case "ctrl-f":
      if (cursor === text.length) return only(insert(editor, ghostOf(editor, complete)));
      return only(move(editor, next(text, cursor)));
    case "home":
    case "ctrl-a":
      return only(move(editor, 0));
    case "end":
    case "ctrl-e":
      if (cursor === text.length) return only(insert(editor, ghostOf(editor, complete)));
      return only(move(editor, text.length));
    case "ctrl-left":
    case "alt-left":
    case "alt-b":
      return only(move(editor, wordLeft(text, cursor)));
    case "ctrl-right":
    case "alt-right":
    case "alt-f":
      return only(move(editor, wordRight(text, cursor)));
    case "ctrl-k":
      return only(kill(editor, cursor, text.length));
    case "ctrl-u":
      return only(kill(editor, 0, cursor));
    case "ctrl-w":
      return only(kill(editor, cursor - (/\S*\s*$/.exec(text.slice(0, cursor))?.[0].length ?? 0), cursor));
    case "alt-backspace":
      return only(kill(editor, wordLeft(text, cursor), cursor));
    case "alt-d":
    case "ctrl-delete":
      return only(kill(editor, cursor, wordRight(text, cursor)));
    case "ctrl-y":
      return only(insert(editor, editor.killed));
    case "up":
    case "ctrl-p":
      return only(recall(editor, -1));
    case "down":
    case "ctrl-n":
      return only(recall(editor, 1));
    case "ctrl-r":
      return only({
        ...editor,
        search: { query: "", at: undefined },
        recalled: { at: editor.history.length, draft: text },
        choice: undefined,
      });
    case "ctrl-c":
      return interrupt(editor);
    case "ctrl-l":
      return { editor, effect: { type: "clear-screen" } };
    case "escape":
      return only({ ...editor, choice: undefined });
    default:
      return only(editor);
  }
};

/** One key's effect on the line. Pure: the clock, the terminal and the server are elsewhere. */
export const edit = (editor: Editor, event: KeyEvent, complete: Complete): Edited => {
  if (editor.search !== undefined) {
    const found = searching(editor, editor.search, event);
    if (found !== undefined) return { editor: found };
    return edit({ ...editor, search: undefined, recalled: undefined }, event, complete);
  }
  if (event.type === "text") return { editor: insert(editor, event.text) };
  return editKey(editor, event, complete);
};
