import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { makeProgram } from "../../../../../src/app/cli/main.ts";
import { commandTree } from "../../../../../src/app/cli/common/command-tree.ts";
import { commandPage, commandPages, manualPage } from "../../../../../src/app/cli/commands/reference/man.ts";
import { nativeProgram } from "../../../../../scripts/native-tools.ts";

const TREE = commandTree(makeProgram(new URL(import.meta.url), () => {}));

Deno.test("the manual page has every command, and roff takes it", () => {
  const page = manualPage(TREE);
  for (const line of page.split("\n")) assert.match(line, /^(\.(TH|SH|B|I|TP|PP|RS|RE|nf|fi|nh|ad)\b|[^.']|\\&|$)/, line);
  assert.match(page, /\.B el2 vcpu ls \[vm\]/);
});

Deno.test("every command, and every group of commands, has a page, with a date and a name of one line", () => {
  const visit = (node: typeof TREE, path: readonly string[]) => {
    if (path.length) {
      const page = commandPage(path, node);
      const title = ["EL2", ...path].join("-").toUpperCase();
      assert.ok(page.startsWith(`.TH ${title} 1 "`), title);
      assert.match(
        page,
        /^\.TH \S+ 1 "\d{4}-\d\d-\d\d" "el2 \S+" "User Commands"\n\.nh\n\.ad l\n\.SH NAME\nel2\S+ \\- .+\n\.SH SYNOPSIS\n/,
      );
      for (const line of page.split("\n")) assert.match(line, /^(\.(TH|SH|SS|B|BR|br|I|TP|PP|RS|RE|nf|fi|nh|ad)\b|[^.']|\\&|$)/, line);
      for (const { long, short, common } of node.options) {
        const name = common ? short ?? long : long;
        if (name) assert.ok(page.includes(name.replaceAll("-", "\\-")), `${title} ${name}`);
      }
    }
    for (const child of node.commands) visit(child, [...path, child.name]);
  };
  visit(TREE, []);
});

Deno.test("man prints the page of the command that is named, and refuses what is not a command", async () => {
  const { stdout } = await el2("man", "vm", "ls");
  assert.match(stdout, /^\.TH EL2-VM-LS 1 /);
  const wrong = await el2("man", "vm", "lss");
  assert.deepEqual([wrong.code, wrong.stderr], [2, 'el2: there is no command "vm lss"; did you mean "ls"? List them with el2 --help\n']);
});

/** Lines that mandoc shows of a page, without indentation, and what it finds wrong. */
async function mandoc(page: string, ...args: string[]): Promise<string> {
  const child = new Deno.Command(await nativeProgram("mandoc"), { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await Promise.all([writer.write(new TextEncoder().encode(page)), writer.close()]);
  const { stdout, stderr } = await child.output();
  const [text, complaint] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(complaint, "");
  return text;
}

Deno.test("mandoc finds nothing wrong in any page", async () => {
  const pages = commandPages(TREE);
  assert.ok(pages.length > 0);
  // All in one: each page begins with its title.
  for (const { name, text } of pages) assert.equal(await mandoc(text, "-T", "lint", "-W", "warning"), "", name);
});

Deno.test("pages have the examples and the notes of the commands' help, each character of them", async () => {
  const shown = async (...path: string[]) => {
    const { stdout } = await el2("man", ...path);
    return (await mandoc(stdout, "-T", "utf8", "-O", "width=200")).replaceAll(/.\x08/g, "").split("\n").map((line) => line.trim());
  };
  const section = (lines: readonly string[], title: string) => {
    const from = lines.indexOf(title);
    assert.ok(from > 0, `${title} in\n${lines.join("\n")}`);
    const rest = lines.slice(from + 1), to = rest.findIndex((line) => /^[A-Z][A-Z ]+$/.test(line));
    return rest.slice(0, to < 0 ? rest.length : to).filter(Boolean);
  };
  const breaks = section(await shown("break"), "EXAMPLES");
  assert.deepEqual(breaks.slice(0, 2), [
    "el2 break 'kind=rpc refused=yes' --wait",
    "stop at the next request that the Resource Manager refuses",
  ]);
  assert.ok(section(await shown("console"), "EXAMPLES").includes("el2 console debian --send 'root\\n' --expect '# $' --timeout 60s"));
  assert.ok(section(await shown("completion"), "EXAMPLES").includes("mkdir -p ~/.zfunc && el2 completion zsh > ~/.zfunc/_el2"));
  assert.ok(section(await shown("screenshot"), "EXAMPLES").some((line) => line.includes('--keys "7 /about=ping Enter"')));
  const agent = section(await shown("mcp"), "DESCRIPTION");
  assert.deepEqual(agent.slice(-1), ['{"mcpServers": {"el2": {"command": "el2", "args": ["mcp"]}}}']);
  assert.deepEqual(section(await shown(), "EXAMPLES").slice(0, 2), ["el2", "run the demo: three VMs that communicate"]);
  // A page of a group has the examples of its commands; a command's own exit codes replace others.
  assert.ok(section(await shown("vm"), "EXAMPLES").some((line) => line.startsWith("el2 vm ls")));
  const codes = section(await shown("diff"), "EXIT STATUS");
  assert.deepEqual(codes.filter((line) => /^[012] /.test(line)).map((line) => line.replace(/\s+/, " ")), [
    "0 equal",
    "1 different",
    "2 a file cannot be read, or the files are of different kinds",
  ]);
});
