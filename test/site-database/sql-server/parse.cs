#:package Microsoft.SqlServer.TransactSql.ScriptDom@180.140.0
// Without this, the compiler stays behind as a process of its own.
#:property UseSharedCompilation=false

using System.Text.Json;
using Microsoft.SqlServer.TransactSql.ScriptDom;

// Standard input: a JSON object, a text of T-SQL for each name. Output: a line for each name and version, and what its parser says.
(string Version, TSqlParser Parser)[] parsers =
[
    ("2016", new TSql130Parser(true)),
    ("2017", new TSql140Parser(true)),
    ("2019", new TSql150Parser(true)),
    ("2022", new TSql160Parser(true)),
];
using var texts = JsonDocument.Parse(Console.OpenStandardInput());
foreach (var text in texts.RootElement.EnumerateObject())
{
    foreach (var (version, parser) in parsers)
    {
        parser.Parse(new StringReader(text.Value.GetString() ?? ""), out var errors);
        var said = errors.Count == 0 ? "ok" : $"line {errors[0].Line}: {errors[0].Message}";
        Console.WriteLine($"{text.Name}\t{version}\t{said}");
    }
}
