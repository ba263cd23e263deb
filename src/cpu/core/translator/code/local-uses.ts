// Where the meaning of an encoding uses the values that it names: known once, for all of its words.

import type { Builder, Node, Statement } from "../../../isa/notation/builder.ts";

/** Uses of a local value of a builder. */
export interface LocalUse {
  count: number;
  /** Index of the last statement with one. */
  last: number;
  /** That statement evaluates it once, before it does anything. */
  once: boolean;
  /** How many statements give it a value. */
  values: number;
}

/** The uses of each local value, by its number. */
export function localUses($: Builder): LocalUse[] {
  const uses = $.locals.map((): LocalUse => ({ count: 0, last: -1, once: false, values: 0 }));
  $.statements.forEach((statement, i) => {
    const once = /^(let|setRegister|load|loadPair|store|storePair)$/.test(statement.kind);
    forEachValue(statement, (id) => uses[id].values++);
    forEachNode(statement, (node) => {
      if (node.kind !== "local") return;
      const use = uses[node.id];
      use.count++;
      use.last = i;
      use.once = once;
    });
  });
  return uses;
}

/** Local values that a statement gives, and those inside of it. */
function forEachValue(s: Statement, visit: (id: number) => void): void {
  if (s.kind === "if") { for (const statement of [...s.then, ...s.otherwise]) forEachValue(statement, visit); }
  else if (s.kind === "loadPair") s.ids.forEach(visit);
  else if ("id" in s && s.id !== undefined) visit(s.id);
}

/** All nodes of a statement, and of those inside of it. */
function forEachNode(s: Statement, visit: (node: Node) => void): void {
  const inNode = (node: Node | undefined) => {
    if (!node) return;
    visit(node);
    if ("operands" in node) { for (const operand of node.operands) inNode(operand); }
    if (node.kind === "ramLoad") inNode(node.place);
  };
  switch (s.kind) {
    case "setFlags":
      for (const node of [s.n, s.z, s.c, s.v, ...s.compared ?? []]) inNode(node);
      return;
    case "storePair":
      for (const node of [s.address, ...s.values]) inNode(node);
      return;
    case "call":
      return s.operands.forEach(inNode);
    case "if":
      inNode(s.condition);
      for (const statement of [...s.then, ...s.otherwise]) forEachNode(statement, visit);
      return;
    case "branch":
      return inNode(s.condition);
    case "branchTo":
      inNode(s.address);
      return inNode(s.type);
    default:
      if ("address" in s) inNode(s.address);
      if ("place" in s) inNode(s.place);
      if ("value" in s) inNode(s.value);
      if ("options" in s) inNode(s.options.elements);
  }
}
