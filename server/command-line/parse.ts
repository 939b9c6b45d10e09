import { findUnprintable } from "../model/harmless-text.ts";
import { beginsWithPrompt, pastedLine } from "../model/pasted-text.ts";
import { codePointName, isBlank, isDash, isQuote } from "./characters.ts";
import { peek, readValue, skipBlanks, startsParameter } from "./read-value.ts";
import type { Cursor, Value } from "./read-value.ts";
import { notRecognised, refuseLanguage, refusePipe, scriptsNotAllowed, syntax, tooMuch } from "./refusals.ts";

/**
 * One word after a command's name, in order. Whether a value belongs to the parameter before it depends on whether that
 * is a switch, which only the command's definition knows: pairing them is the binder's job.
 */
export type Word =
  /** `-Name`, or `-Name:value` with the value attached. */
  | { readonly kind: "parameter"; readonly name: string; readonly attached?: Value }
  | {
      readonly kind: "value";
      readonly value: Value;
    };

/** One command of a line and its words; a line has several where pipes are. */
export interface Stage {
  /** Letters, digits and hyphens of ASCII, as typed. */
  readonly name: string;
  readonly words: readonly Word[];
}

export const maximumLineLength = 8192;
const maximumWords = 64;
const maximumStages = 8;
const maximumNameLength = 64;
const commandName = /^[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*$/;
const doubleDashHelp = /^[-\u2013-\u2015]help(?=$|[\s|])/i;
/** A line that asks for help and names nothing, in the ways of other shells. */
const helpAlone = /^\s*(?:-{1,2}help|-h|[-/]?\?|\/h(?:elp)?)\s*$/i;
const parameterName = /^(?:[A-Za-z][A-Za-z0-9]*|\?)$/;

const checkCharacters = (line: string): void => {
  if (/[\r\n\u0085\u2028\u2029]/.test(line)) throw scriptsNotAllowed("lines");
  const found = findUnprintable(line.replaceAll("\t", " "));
  if (found !== undefined) {
    throw syntax(`The line holds a control character or an invisible one (${codePointName(found)}). Type it anew.`);
  }
};

const readCommandName = (cursor: Cursor, afterPipe: boolean): string => {
  const start = cursor.at;
  const first = peek(cursor);
  if (first === "" || first === "|") throw syntax("A command's name is missing beside a pipe.");
  if (isQuote(first)) throw scriptsNotAllowed("quotedName");
  if (first === "@") throw scriptsNotAllowed("splat");
  if (first === "#") throw scriptsNotAllowed("comment");
  refuseLanguage(cursor.line, start);
  if (isDash(first) || /^[0-9[\]!+,.]$/.test(first)) throw scriptsNotAllowed("expression");
  while (peek(cursor) !== "" && peek(cursor) !== "|" && !isBlank(peek(cursor))) {
    if (isQuote(peek(cursor)) || peek(cursor) === "`") throw scriptsNotAllowed("quotedName");
    refuseLanguage(cursor.line, cursor.at);
    cursor.at += 1;
  }
  const name = cursor.line.slice(start, cursor.at).replace(/[–—―]/g, "-");
  // A letter that only looks like an ASCII one is not folded into it: such a name is no command's.
  if (name.length > maximumNameLength || !commandName.test(name)) {
    throw afterPipe ? refusePipe(name) : notRecognised({ reason: "unknown" });
  }
  return name;
};

const readParameter = (cursor: Cursor): Word => {
  cursor.at += 1;
  if (cursor.line.startsWith("-%", cursor.at)) throw scriptsNotAllowed("stopParsing");
  if (isDash(peek(cursor))) {
    const help = doubleDashHelp.exec(cursor.line.slice(cursor.at))?.[0];
    if (help !== undefined) {
      cursor.at += help.length;
      return { kind: "parameter", name: "?" };
    }
    throw syntax("A parameter has one dash: -Name. A value that begins with dashes is put in quotes.");
  }
  const start = cursor.at;
  while (peek(cursor) !== "" && !/^[:|,]$/.test(peek(cursor)) && !isBlank(peek(cursor))) {
    if (isQuote(peek(cursor)) || peek(cursor) === "`") {
      throw syntax(
        "A parameter's name is written without quotes; a value that begins with a dash is put in quotes whole.",
      );
    }
    refuseLanguage(cursor.line, cursor.at);
    cursor.at += 1;
  }
  const name = cursor.line.slice(start, cursor.at);
  if (name.length > maximumNameLength || !parameterName.test(name)) {
    throw syntax(
      "A parameter's name has plain letters and digits only. A value that begins with a dash is put in quotes.",
    );
  }
  if (peek(cursor) === ",") throw syntax("A parameter's name can't be part of a list.");
  if (peek(cursor) !== ":") return { kind: "parameter", name };
  cursor.at += 1;
  skipBlanks(cursor);
  if (peek(cursor) === "" || peek(cursor) === "|") throw syntax("A value is missing after a parameter's colon.");
  return { kind: "parameter", name, attached: readValue(cursor) };
};

const readStage = (cursor: Cursor, afterPipe: boolean): Stage => {
  const name = readCommandName(cursor, afterPipe);
  const words: Word[] = [];
  for (;;) {
    skipBlanks(cursor);
    if (peek(cursor) === "" || peek(cursor) === "|") return { name, words };
    words.push(startsParameter(cursor) ? readParameter(cursor) : { kind: "value", value: readValue(cursor) });
    if (words.length > maximumWords) throw tooMuch(`A command takes at most ${maximumWords} words.`);
  }
};

/**
 * Text → the commands of one line, in PowerShell's manner without its language. Pure; the work grows with the line's length.
 *
 * @throws Refusal `ScriptsNotAllowed`, `InvalidArgument` (syntax), `LimitsExceeded`, `CommandNotFound` (no name at all)
 */
export const parseCommandLine = (line: string): readonly [Stage, ...Stage[]] => {
  // Before anything looks at the text: the work is bounded by this, not by what a client sends.
  if (line.length > maximumLineLength) throw tooMuch(`A line has at most ${maximumLineLength} characters.`);
  const text = pastedLine(line);
  if (beginsWithPrompt(text)) throw syntax("The prompt was pasted along: leave out everything up to its >.");
  checkCharacters(text);
  if (helpAlone.test(text)) return [{ name: "Get-Help", words: [] }];
  const cursor: Cursor = { line: text, at: 0 };
  skipBlanks(cursor);
  if (peek(cursor) === "") throw syntax("The line is empty. Get-Command lists the commands you can run.");
  const stages: [Stage, ...Stage[]] = [readStage(cursor, false)];
  while (peek(cursor) === "|") {
    cursor.at += 1;
    if (peek(cursor) === "|") throw scriptsNotAllowed("orElse");
    skipBlanks(cursor);
    stages.push(readStage(cursor, true));
    if (stages.length > maximumStages) throw tooMuch(`A line has at most ${maximumStages} commands.`);
  }
  return stages;
};
