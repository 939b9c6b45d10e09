import type { FoundObject } from "./found-object.ts";
import { propertiesOf } from "./found-object.ts";
import { attributeIn, readMarkupTokens, type MarkupToken } from "./markup-tokens.ts";
import { BrokenFile } from "./reading.ts";

/** An element that is open. */
interface Element {
  readonly tag: string;
  readonly line: number;
  /** Of the property that it is the value of. */
  readonly name: string | undefined;
  text: string;
  readonly members: [string, unknown][];
  readonly items: unknown[];
}

const deepest = 64;
const longestObject = 1024 * 1024;
/** What type an object had, and what it was as a text: nothing that its properties don't say. */
const unsaid: ReadonlySet<string> = new Set(["tn", "t", "tnref", "tostring"]);
/** Around the properties and items of an object, which are the object's own. */
const around: ReadonlySet<string> = new Set(["props", "ms", "lst", "dct", "ie", "que", "stk"]);

/** CLIXML writes what XML can't hold as `_x000A_` (MS-PSRP 2.2.5.3.2). */
const plain = (text: string): string =>
  text.includes("_x")
    ? text.replace(/_x([0-9A-F]{4})_/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    : text;

const valueOf = ({ tag, text, members, items }: Element): unknown => {
  if (members.length > 0) return Object.fromEntries(members);
  if (items.length > 0) return items.length === 1 ? items[0] : items;
  return tag === "nil" ? null : plain(text);
};

/** Builds objects of the elements of CLIXML (Export-Clixml) and of ConvertTo-Xml: a property's name is an attribute. */
class XmlObjects {
  readonly #open: Element[] = [];
  #found: FoundObject[] = [];
  #length = 0;

  take(token: MarkupToken): void {
    if (token.kind === "text") {
      this.#length += token.text.length;
      const element = this.#open.at(-1);
      if (element !== undefined) element.text += token.text;
    } else if (token.kind === "close") this.#close(token.tag, token.line);
    else {
      this.#length += token.attributes.length;
      const name = attributeIn(token.attributes, "n", "name");
      this.#open.push({ tag: token.tag, line: token.line, name, text: "", members: [], items: [] });
      // A reference stands for an object that was written before; what it says is not here.
      if (token.tag === "ref") throw new BrokenFile(token.line, repeated);
      if (token.kind === "alone") this.#close(token.tag, token.line);
    }
    if (this.#open.length > deepest) throw new BrokenFile(token.line, "the XML is nested too deeply.");
    if (this.#length > longestObject)
      throw new BrokenFile(token.line, `an object is longer than ${longestObject} characters.`);
  }

  /** @returns the objects that are whole now */
  give(): readonly FoundObject[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  end(): void {
    const open = this.#open.at(-1);
    if (open !== undefined) throw new BrokenFile(open.line, "the XML ends in the middle: the file is cut off.");
  }

  #close(tag: string, line: number): void {
    const element = this.#open.pop();
    if (element?.tag !== tag) throw new BrokenFile(line, "this is not valid XML.");
    const parent = this.#open.at(-1);
    if (parent === undefined || unsaid.has(tag)) return;
    if (around.has(tag)) {
      for (const member of element.members) parent.members.push(member);
      for (const item of element.items) parent.items.push(item);
      return;
    }
    if (tag === "en") {
      const [key, value] = ["key", "value"].map((name) =>
        element.members.find(([other]) => other.toLowerCase() === name),
      );
      if (key !== undefined && value !== undefined) parent.members.push([String(key[1]), value[1]]);
      return;
    }
    const value = valueOf(element);
    const isListed = this.#open.length === 3 && parent.tag === "lst";
    const properties = this.#open.length === 1 || isListed ? propertiesOf(value) : undefined;
    if (properties !== undefined) {
      this.#found.push({ line: element.line, properties });
      this.#length = 0;
    } else if (element.name !== undefined) parent.members.push([element.name, value]);
    else parent.items.push(value);
  }
}

const repeated =
  "this CLIXML refers to an object that stands further up. Make JSON of it, and import that: " +
  "Import-Clixml FILE | ConvertTo-Json -Depth 4 | Out-File keys.json";

/** Streams the objects of CLIXML and of ConvertTo-Xml. */
export async function* readXmlObjects(pieces: AsyncIterable<string>): AsyncGenerator<readonly FoundObject[]> {
  const objects = new XmlObjects();
  for await (const tokens of readMarkupTokens(pieces)) {
    for (const token of tokens) objects.take(token);
    yield objects.give();
  }
  objects.end();
}
