import assert from "node:assert/strict";
import { COMMANDS } from "../../../src/model/commands/all.ts";
import { readLine } from "../../../src/model/commands/line.ts";
import { hintFor, usageOf } from "../../../src/model/commands/words.ts";
import { hintText } from "../../../src/kit/support/text/hint.ts";
import type { Arguments, GivenOf } from "../../../src/model/commands/argument.ts";
import { shellWords } from "../../../src/kit/support/text/shell.ts";
import type { Query } from "../../../src/model/queries/query.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import { sampleValues } from "./samples.ts";

Deno.test("the line of each command reads as the same values again", () => {
  for (const command of COMMANDS) {
    const values = sampleValues(command), line = hintText(hintFor(command, values as GivenOf<Arguments>));
    const read = readLine(line, COMMANDS);
    if (line === `el2 ${command.name.replaceAll(".", " ")}`) assert.equal(read, undefined, line);
    else {
      assert.equal(read?.command, command, line);
      assert.deepEqual(read.values, values, line);
    }
  }
});

Deno.test("words of a shell: quotes, backslashes, what is still open; nothing is expanded", () => {
  const words = (line: string) => shellWords(line).map(({ text, quoted }) => quoted ? [text] : text);
  assert.deepEqual(words(`a 'b c' "d \\" e" f\\ g`), ["a", ["b c"], [`d " e`], ["f g"]]);
  assert.deepEqual(words(`it's open`), [["its open"]]);
  assert.deepEqual(words(`x'y'"z" $HOME *  `), [["xyz"], "$HOME", "*"]);
  assert.deepEqual(words("''"), [[""]]);
  assert.deepEqual(words("  "), []);
});

Deno.test("options: =VALUE, letters, repeated ones, -- before words that look like options", () => {
  const values = (line: string) => readLine(line, COMMANDS)?.values;
  assert.equal(values("who mq:1 --size=8")?.size, 8);
  const note = { name: "here-it-is-lost", text: "here it is lost" };
  for (const line of ["mark here it is lost --by ann", 'mark "here it is lost" --by ann']) {
    assert.deepEqual(values(line), { name: note, by: "ann" });
  }
  assert.deepEqual(values("break --at a:main --at b:main")?.at, ["a:main", "b:main"]);
  assert.equal(values("logs -f")?.follow, true);
  assert.equal(values("input wheel host -- -3")?.what, "-3");
  assert.equal(values("input wheel host -3")?.what, "-3");
  assert.match(readLine("who mq:1 --size", COMMANDS)?.problem?.what ?? "", /--size needs a value/);
});

Deno.test("linux config: what cannot name a VM is the filter", () => {
  const asked = (line: string) => {
    const read = readLine(line, COMMANDS);
    assert.ok(read?.command.ask && !read.problem, line);
    const { vm, filter } = (read.command.ask(read.values as never) as Query).args as AnyArguments;
    return { ...vm !== undefined && { vm }, ...filter !== undefined && { filter } };
  };
  const PREEMPT = { filter: "PREEMPT" };
  assert.deepEqual(asked("linux config PREEMPT"), PREEMPT);
  assert.deepEqual(asked("linux config debian PREEMPT"), { vm: "vm:debian", ...PREEMPT });
  assert.deepEqual(asked("linux config vm:debian"), { vm: "vm:debian" });
  assert.deepEqual(asked("linux config name~^VIRTIO value=m"), { filter: "name~^VIRTIO value=m" });
  assert.match(readLine("linux config colour=RED", COMMANDS)?.problem?.what ?? "", /colour/);
});

Deno.test("usage: words in their order, those that may be left out in brackets", () => {
  const usage = (name: string) => usageOf(COMMANDS.find((one) => one.name === name)!);
  assert.deepEqual(["queue.flush", "vm.ls", "inject", "who"].map(usage), [
    "queue flush <queue>",
    "vm ls",
    "inject [rule...]",
    "who <target> [access]",
  ]);
});
