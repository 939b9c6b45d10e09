import { createHash } from "node:crypto";
import type { BoundCommand, BoundShaping, CheckedTexts } from "../command/define-command.ts";
import type { BoundLine } from "./contract.ts";
import { maskKey } from "../model/key-shaped-text.ts";

/** What needs no quotes wherever it stands. */
const plain = /^[A-Za-z0-9][A-Za-z0-9._]*(?:-[A-Za-z0-9._]+)*$/;

/** Every quote that ends a single-quoted text is doubled, as PowerShell reads it. */
const quoted = (text: string): string => (plain.test(text) ? text : `'${text.replace(/['‘’‚‛]/g, "$&$&")}'`);

const stageInWords = (name: string, texts: CheckedTexts): string =>
  [
    name,
    ...[...texts].map(([parameter, values]) =>
      values.length === 0 ? `-${parameter}` : `-${parameter} ${values.map(quoted).map(maskKey).join(",")}`,
    ),
  ].join(" ");

const inOrder = (texts: CheckedTexts): readonly (readonly [string, readonly string[]])[] =>
  [...texts].map(([name, values]) => [name, values] as const);

/**
 * One spelling for every way to write an invocation: what an approver reads, and the digest that an approval is bound to.
 * The digest is over JSON, not over the words: no quoting, however clever, makes two invocations one.
 */
export const canonicalInvocation = (
  command: BoundCommand,
  texts: CheckedTexts,
  shaping: readonly BoundShaping[],
  { roleCapability, keyBounds }: Pick<BoundLine, "roleCapability" | "keyBounds">,
): { readonly invocation: string; readonly digest: string } => {
  const stages = [{ name: command.name, texts }, ...shaping];
  const bound = [
    roleCapability,
    stages.map((stage) => [stage.name, inOrder(stage.texts)]),
    ...(keyBounds === undefined ? [] : [keyBounds.text]),
  ];
  return {
    invocation: stages.map((stage) => stageInWords(stage.name, stage.texts)).join(" | "),
    digest: createHash("sha256").update(JSON.stringify(bound)).digest("hex"),
  };
};
