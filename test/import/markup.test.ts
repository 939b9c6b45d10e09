import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { fixtureText, pairs, readAll, writeFile } from "./recovery-data.ts";

const password = "490270-696377-450109-664092-596629-028820-126104-257345";
const id = "00FB8673-8B42-C835-484F-3E32248C1E89";
const other = {
  id: "601C567F-BB55-22E5-3A50-AE8DAE18AEFD",
  password: "428373-694848-697466-395450-590062-004103-372031-236489",
};

const readText = (text: string, options = {}): ReturnType<typeof readAll> =>
  readAll(writeFile(temporaryDirectory(), "keys.xml", text), options);
const both = [
  [id, password],
  [other.id, other.password],
];

describe("XML of PowerShell", () => {
  test.each(["volumes.clixml", "volumes-by-computer.clixml", "rows.clixml", "rows-converted.xml"])(
    "%s: keys with their computers",
    async (name) => {
      const records = await readText(fixtureText(name));
      expect(pairs(records)).toEqual(both);
      expect(records.filter(({ protector }) => protector.kind === "NumericalPassword")).toMatchObject([
        { computerName: "PC-0001" },
        { computerName: "BÜRO-7" },
      ]);
      await expect(readText(fixtureText(name), { computerName: "PC-0001" })).rejects.toThrow("another computer");
    },
  );

  const element = (name: string, value: string): string => `<S N="${name}">${value}</S>`;
  const clixml = (...objects: readonly string[]): string =>
    `<Objs Version="1.1.0.1">${objects.map((inside) => `<Obj RefId="0"><MS>${inside}</MS></Obj>`).join("\n")}</Objs>`;
  const key = element("KeyProtectorId", id) + element("RecoveryPassword", password);

  const far = "\n".repeat(300);
  const listed = (keyId: string, found: string): string =>
    `<Obj><MS>${element("KeyProtectorId", keyId)}\n${element("RecoveryPassword", found)}</MS></Obj>`;
  const asJson = (keyId: string, found: string): string =>
    JSON.stringify({ KeyProtectorId: keyId, RecoveryPassword: found }, undefined, 1);
  const xmlList = `${listed(id, password)}${far}${listed("no id", other.password)}`;
  const jsonList = `${asJson(id, password)},${far}${asJson("no id", other.password)}`;
  test.each([
    ["CLIXML", clixml(`${element("ComputerName", "PC-1")}<Obj N="Keys"><LST>${xmlList}</LST></Obj>`)],
    ["JSON", `[{"ComputerName": "PC-1", "Keys": [${jsonList}]}]`],
  ])("%s: what is wrong far inside an object is told with the line of its password", async (_, text) => {
    const line = text.split("\n").findIndex((at) => at.includes(other.password)) + 1;
    await expect(readText(text)).rejects.toThrow(`line ${line}: the key id is not a whole GUID.`);
  });

  test("text that XML can't hold as it is", async () => {
    const name = element("ComputerName", "R&#38;D_x002D_1&amp;2");
    expect(await readText(clixml(name + key))).toMatchObject([{ computerName: "R&D-1&2" }]);
  });

  test.each([
    ["cut off", clixml(key).slice(0, -12), "the XML ends in the middle"],
    ["an end that has no beginning", clixml(key).replace("</MS>", "</MS></MS>"), "this is not valid XML"],
    ["a reference", clixml(`${key}<Ref N="ComputerName" RefId="7" />`), "Import-Clixml FILE | ConvertTo-Json -Depth 4"],
    ["elements without end", `<Objs>${"<Obj>".repeat(1000)}`, "nested too deeply"],
    ["an object without end", `<Objs><Obj>${`<S>${"x".repeat(5000)}</S>`.repeat(300)}`, "an object is longer than"],
    ["a tag without end", `<Objs><Obj N="${"x".repeat(2_000_000)}`, "too long here"],
    ["nothing but beginnings", `<Objs>${"<".repeat(900_000)}`, "the XML ends in the middle"],
  ])("%s: told", async (_, text, message) => {
    await expect(readText(text, { computerName: "PC-1" })).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining(message),
    });
  });
});

describe("HTML", () => {
  test.each(["rows.html", "rows-list.html"])("%s of ConvertTo-Html: keys with their computers", async (name) => {
    const records = await readText(fixtureText(name));
    expect(pairs(records)).toEqual(both);
    expect(records.map(({ computerName }) => computerName)).toEqual(["PC-0001", "BÜRO-7"]);
    await expect(readText(fixtureText(name), { computerName: "PC-0001" })).rejects.toThrow("another computer");
  });

  const row = (tag: string, ...cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag} class="a > b">${cell}</${tag}>`).join("\n  ")}</tr>`;
  const keys = (keyId: string, key: string): string =>
    `<table>${row("th", "KeyProtectorId", "RecoveryPassword")}${row("td", keyId, key)}</table>`;

  test("a report with styles, scripts, comments, and tables of other things", async () => {
    const page =
      `<!DOCTYPE html><html><style>table > tr { color: red }</style><script>if (a<b) "</table>"</script><!-- <table> -->` +
      `<table>${row("td", "Report of", "2024-05-06")}${row("td", "Author", "IT")}</table>` +
      `<TABLE>${row("TD", "<b>Device</b>", "Id", "Key")}${row("td", "PC&nbsp;7".replace("&nbsp;", "-"), `{<i>${id}</i>}`, `${password}<br>`)}</TABLE></html>`;
    expect(await readText(page)).toMatchObject([{ computerName: "PC-7", line: 5 }]);
  });

  test("several tables without names are not of one computer", async () => {
    const page = (...tables: readonly string[]): string => `<html>${tables.join("<h2>PC</h2>")}</html>`;
    const options = { computerName: "PC-1" };
    expect(await readText(page(keys(id, password)), options)).toMatchObject([{ computerName: "PC-1" }]);
    await expect(readText(page(keys(id, password), keys(other.id, other.password)), options)).rejects.toThrow(
      "may hold keys of several computers",
    );
  });

  test.each([
    ["no table", `<html><pre>ID: ${id} ${password}</pre>`, "this is an HTML page without a table of keys"],
    ["a key beside a table", `<html>${keys(id, password)}<p>${other.password}</p>`, "has no clear key id"],
    ["a row too long", `<table>${row("th", "Id", "RecoveryKey")}${row("td", id, password, "x")}</table>`, "more cells"],
    ["tables without end", "<table><tr><td>".repeat(100), "nested too deeply"],
  ])("%s: told", async (_, text, message) => {
    await expect(readText(text, { computerName: "PC-1" })).rejects.toThrow(message);
  });
});
