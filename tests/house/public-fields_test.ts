// An object of the hypervisor changes its own state: no class below src/machine/hypervisor has a
// public field that others could write, but the seats where somebody above sits down.

import assert from "node:assert/strict";
import { filesBelow } from "../support/files.ts";

const FOLDER = new URL("../../src/machine/hypervisor/", import.meta.url);

/** Fields that others set, by the reason why. */
const SEATS: Record<string, readonly string[]> = {
  "a seat of somebody above the hypervisor, who takes it and leaves it": [
    ...[
      "Hypervisor.onUnmappedDevice",
      "Hypervisor.onUnmappedMemory",
      "Hypervisor.onVcpuEnd",
      "Hypervisor.onBug",
      "Hypervisor.semihosted",
      "TraceHub.onWanted",
      "Hypervisor.debug",
      "Hypervisor.checker",
    ],
    ...["Hypervisor.foreignPrograms", "Faults.onRules"],
  ],
};

/** A member of a class as the formatter writes it: a field without `readonly`, `#` or `private`. */
const FIELD =
  /^ {2}(?:override )?(?!readonly |private |protected |static |declare )([A-Za-z]\w*)[!?]?(?:(?:: [^(=]*(?:\(.*)?)?(?: = .*)?;|(?:: [^(=]*)? = .*[{[(])$/;
/** A parameter of a constructor that is a public field. */
const PARAMETER = /^ {2}constructor\(.*\bpublic (?!readonly )(\w+)/;

/** Public fields of the classes of a file that can be written. */
function fieldsOf(text: string): string[] {
  const fields: string[] = [];
  let name: string | undefined;
  for (const line of text.split("\n")) {
    const opened = /^(?:export )?(?:abstract )?class (\w+)/.exec(line);
    if (opened) name = opened[1];
    if (line === "}") name = undefined;
    const field = FIELD.exec(line) ?? PARAMETER.exec(line);
    if (name !== undefined && field) fields.push(`${name}.${field[1]}`);
  }
  return fields;
}

Deno.test("no class of the hypervisor has a public field that others can write, but seats", () => {
  const found = [...filesBelow(FOLDER)].flatMap((path) => fieldsOf(Deno.readTextFileSync(new URL(path, FOLDER))));
  assert.deepEqual(found.sort(), Object.values(SEATS).flat().sort());
});

Deno.test("a public field is found in each form, and what is not one is not", () => {
  const text = [
    ...["export class A extends B {", "  count = 0;", "  next: A | undefined;", "  later!: A;", "  told: ((a: A) => void) | undefined;"],
    ...[
      "  override kind: number = Kind.None;",
      "  list: number[] = [",
      "  readonly b = 1;",
      "  #c = 2;",
      "  declare readonly d: D;",
      "  static e = 3;",
    ],
    ...[
      "  get f(): number {",
      "    return 1;",
      "  }",
      "  abstract g(): void;",
      "  constructor(readonly h: H, public i: number) {",
      "}",
      "let j = 0;",
    ],
  ];
  assert.deepEqual(fieldsOf(text.join("\n")), ["A.count", "A.next", "A.later", "A.told", "A.kind", "A.list", "A.i"]);
});
