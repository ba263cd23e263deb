// Queries from outside: each table's declaration says which arguments its queries take and need.

import assert from "node:assert/strict";
import * as v from "valibot";
import { readClientMessage } from "../../../src/session/control/conversation.ts";
import { BadFrame } from "../../../src/session/control/wire.ts";
import { listTables, query } from "../../../src/model/queries/query.ts";
import { QUERY_ARGUMENTS } from "../../../src/model/queries/query-arguments.ts";
import type { Table } from "../../../src/model/queries/table.ts";
import { TABLE_NAMES, TABLES } from "../../../src/model/queries/tables.ts";

const VALUES: Readonly<Record<string, unknown>> = {
  ...{ filter: "", limit: 1, after: "0", since: 0, kinds: "hvc", vm: "vm:ping", vcpu: "vcpu:ping/0", queue: "mq:1", frame: 0 },
  ...{
    at: "pa:0x0",
    access: "read",
    value: 0n,
    before: { kind: "time", at: 0 },
    hits: true,
    back: 1,
    size: 1,
    pid: 1,
    threads: true,
    tree: true,
  },
};

/** The error of a query, if it has one. */
const issueOf = (table: string, args: object) => v.safeParse(query, { table, args }).issues?.[0].message;

Deno.test("a query has the arguments that its table needs, and no other than it takes", () => {
  assert.deepEqual(Object.keys(VALUES), Object.keys(QUERY_ARGUMENTS));
  let refused = 0;
  for (const name of TABLE_NAMES) {
    const { args = {} }: Table = TABLES[name], taken = { filter: "optional", limit: "optional", ...args };
    const given = Object.fromEntries(Object.keys(taken).map((one) => [one, VALUES[one]]));
    assert.equal(issueOf(name, given), undefined, name);
    for (const [one, need] of Object.entries(taken)) {
      const others = { ...given, [one]: undefined };
      assert.equal(issueOf(name, others), need === "required" ? `this query needs ${one}` : undefined, `${name} without ${one}`);
    }
    for (const one of Object.keys(VALUES).filter((one) => !Object.hasOwn(taken, one))) {
      assert.equal(issueOf(name, { ...given, [one]: VALUES[one] }), `this query takes no ${one}`, name);
      refused++;
    }
    assert.equal(listTables().some((one) => one === name), !Object.values(args).includes("required"), name);
  }
  assert.ok(refused > 0);
});

Deno.test("a session refuses such queries in words, and values of another form", () => {
  const refusal = (table: string, args: object) => {
    try {
      readClientMessage({ kind: "query", id: 1, query: { table, args } });
    } catch (error) {
      if (error instanceof BadFrame) return error.message;
      throw error;
    }
  };
  assert.equal(refusal("linux.stack", { vm: "vm:host", pid: 1 }), undefined);
  assert.match(refusal("linux.stack", { vm: "vm:host" }) ?? "", /this query needs pid/);
  assert.match(refusal("vm.ls", { pid: 1 }) ?? "", /this query takes no pid/);
  assert.match(refusal("linux.stack", { pid: true }) ?? "", /query\.args\.pid: .*number/);
  assert.match(refusal("vm.ls", { vms: 1 }) ?? "", /query\.args\.vms/);
  assert.match(refusal("vm.lss", {}) ?? "", /query\.table/);
});
