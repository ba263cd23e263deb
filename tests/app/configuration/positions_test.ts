import assert from "node:assert/strict";
import { TomlPositions } from "../../../src/app/configuration/positions.ts";

function at(line: number, column: number) {
  return { line, column };
}

Deno.test("TomlPositions finds keys and values of plain pairs", () => {
  const positions = new TomlPositions('el2 = 1\n[machine]\n  cpus  =   2 # two\n"a b" = "x"\n');
  assert.deepEqual(positions.key(["el2"]), at(1, 1));
  assert.deepEqual(positions.value(["el2"]), at(1, 7));
  assert.deepEqual(positions.key(["machine", "cpus"]), at(3, 3));
  assert.deepEqual(positions.value(["machine", "cpus"]), at(3, 13));
  assert.deepEqual(positions.key(["machine", "a b"]), at(4, 1));
  assert.deepEqual(positions.key(["machine"]), at(2, 2));
  assert.equal(positions.key(["nothing"]), undefined);
});

Deno.test("TomlPositions finds values in inline tables and arrays over several lines", () => {
  const positions = new TomlPositions(`[vm.a]
devices = [ # first
  { kind = "pl011", log = "a,]}.log" },
  { kind = 'x', sizes = [1, [2, 3]] } ]
next = """
a "quoted" = [ {
"""
last = 2
`);
  assert.deepEqual(positions.value(["vm", "a", "devices", 0, "kind"]), at(3, 12));
  assert.deepEqual(positions.key(["vm", "a", "devices", 0, "log"]), at(3, 21));
  assert.deepEqual(positions.value(["vm", "a", "devices", 1]), at(4, 3));
  assert.deepEqual(positions.value(["vm", "a", "devices", 1, "sizes", 1, 1]), at(4, 33));
  assert.deepEqual(positions.value(["vm", "a", "last"]), at(8, 8));
});

Deno.test("TomlPositions follows dotted keys and arrays of tables", () => {
  const positions = new TomlPositions('a.b . "c" = 1\n[[t]]\nx = 1\n[[t]]\nx = 2\n[t.sub]\ny = 3\n');
  assert.deepEqual(positions.key(["a", "b", "c"]), at(1, 7));
  assert.deepEqual(positions.value(["a", "b", "c"]), at(1, 13));
  assert.deepEqual(positions.value(["t", 0, "x"]), at(3, 5));
  assert.deepEqual(positions.value(["t", 1, "x"]), at(5, 5));
  assert.deepEqual(positions.value(["t", 1, "sub", "y"]), at(7, 5));
});
