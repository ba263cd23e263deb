// node annotations.cjs JUNIT SUMMARY: prints an annotation for each failed step of a report that
// `el2 test --junit` wrote, as a workflow command, and appends a table to the job's summary.

"use strict";

const { appendFileSync, readFileSync } = require("node:fs");

const [report, summary] = process.argv.slice(2);
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&" };
const plain = (text) => text.replace(/&(lt|gt|quot|amp);/g, (entity) => ENTITIES[entity]);
/** Workflow commands are one line; their properties end at commas and colons. */
const data = (text) => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
const property = (text) => data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ").replaceAll("<", "&lt;");

const rows = [];
for (const [, attributes, cases] of readFileSync(report, "utf8").matchAll(/<testsuite ([^>]*)>([^]*?)<\/testsuite>/g)) {
  const of = (name, text) => plain(new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1] ?? "");
  const failures = [...cases.matchAll(/<testcase ([^>]*[^/>])>\s*<failure message="([^"]*)">([^<]*)<\/failure>/g)];
  for (const [, step, message, details] of failures) {
    const text = [plain(message), plain(details)].filter((part) => part !== "").join("\n");
    const title = `${of("classname", step)}: ${of("name", step)}`;
    console.log(`::error file=${property(of("file", step))},line=${of("line", step)},title=${property(title)}::${data(text)}`);
  }
  const why = failures.map(([, step, message]) => `${of("name", step)}: ${plain(message)}`).join("; ");
  rows.push(`| ${failures.length ? "failed" : "passed"} | ${cell(of("name", attributes))} | ${of("tests", attributes)} | ${cell(why)} |`);
}
appendFileSync(summary, `| Result | Scenario | Tests | Failure |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`);
