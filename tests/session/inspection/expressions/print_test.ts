// `print` on a Linux of Debian: its values are those that the tables about the same kernel have.

import assert from "node:assert/strict";
import { PRINTED } from "../../../../src/model/queries/tables.ts";
import { type Answer, rowsOf } from "../../../../src/model/queries/query.ts";
import { Debian, RELEASES } from "../../../inside/linux/debian.ts";

/** An answer, of which nothing may be missing. */
function printed(debian: Debian, at: string) {
  const answer: Answer = debian.ask("print", { at });
  assert.deepEqual([answer.error, answer.gaps], [undefined, undefined], at);
  return rowsOf(PRINTED, answer);
}
const valueOf = (debian: Debian, at: string) => printed(debian, at)[0].value;
const valuesOf = (debian: Debian, at: string) => printed(debian, at).map(({ value }) => value);
const errorOf = (debian: Debian, at: string) => debian.ask("print", { at }).error;

for (const release of RELEASES) {
  Deno.test(`expressions about a kernel have the values of its tables: ${release}`, async () => {
    const debian = await Debian.booted(release, 2), tasks = debian.rows("linux.ps"), [kernel] = debian.rows("linux.ls");
    const all = "list(&init_task.tasks, struct task_struct, tasks)";
    assert.deepEqual(printed(debian, `${all}->pid`).map(({ number }) => Number(number)), tasks.map(({ pid }) => pid));
    const names = valuesOf(debian, `${all}->comm`), programs = tasks.flatMap(({ kernel, name }, index) => kernel ? [] : [[index, name]]);
    assert.deepEqual(programs.map(([index]) => names[Number(index)]), programs.map(([, name]) => JSON.stringify(name)));
    assert.equal(valueOf(debian, `${all}[0]->comm == "init"`), "1");
    assert.equal(valueOf(debian, "init_uts_ns.name.release"), JSON.stringify(kernel.release));
    assert.equal(valueOf(debian, "init_task.nsproxy->uts_ns->name.release"), JSON.stringify(kernel.release));
    assert.equal(valueOf(debian, "system_state"), "SYSTEM_RUNNING (3)");
    assert.equal(valueOf(debian, "nr_cpu_ids"), "2");
    assert.equal(valueOf(debian, "container_of(init_task.tasks.next, struct task_struct, tasks)->pid"), "1");
    for (const cpu of [0, 1]) assert.equal(valueOf(debian, `per_cpu(runqueues, ${cpu}).cpu`), String(cpu));
    const timers = debian.rows("linux.timers").filter(({ clock, cpu }) => clock === "monotonic" && cpu === 0).length;
    assert.equal(printed(debian, "rbtree(&per_cpu(hrtimer_bases, 0).clock_base[0].active, struct hrtimer, node.node)").length, timers);
    assert.match(valueOf(debian, "vfs_read"), /^\{ssize_t \(struct file \*, .*\)\} 0x[0-9a-f]+ <vfs_read>$/);
    assert.match(valueOf(debian, "init_task.tasks"), /^\{\n {2}next = 0x[0-9a-f]+,\n {2}prev = 0x[0-9a-f]+,\n\}$/);
  });

  Deno.test(`what an expression about a kernel does not find is told: ${release}`, async () => {
    const debian = await Debian.booted(release, 2);
    assert.match(errorOf(debian, "init_task.com") ?? "", /struct task_struct has no member called "com"; did you mean "comm"/);
    assert.match(errorOf(debian, "per_cpu(runqueues, 2).cpu") ?? "", /no CPU 2; this kernel has CPUs 0 to 1/);
    assert.match(errorOf(debian, "nobody:init_task") ?? "", /no vm:nobody/);
    assert.match(errorOf(debian, "list(0, struct task_struct, tasks)") ?? "", /nothing is mapped/);
    assert.match(errorOf(debian, "list(&init_task.tasks, struct task_struct, task)") ?? "", /no task_struct.task/);
    // Kernel threads use the memory of others; a program has its own.
    const [init, thread] = printed(debian, "list(&init_task.tasks, struct task_struct, tasks)->mm->pgd");
    assert.match(init.value, /^\(pgd_t \*\) 0x/);
    assert.match(thread.value, /not mapped/);
    const bad = debian.ask("print", { at: "hlist(&init_task.children, struct task_struct, sibling)" });
    assert.match(JSON.stringify(bad.gaps), /cycle/);
  });

  Deno.test(`variables of a frame and of its kernel are in one expression: ${release}`, async () => {
    const debian = await Debian.booted(release, 2);
    const [row] = debian.rows("vcpu.vars", { vcpu: "vcpu:host/0", at: "init_task.comm" });
    assert.deepEqual([row.value, row.type, row.size], ['"swapper/0"', "char[16]", 16]);
    assert.equal(valueOf(debian, "host/0:$pc == $pc && init_task.pid == 0"), "1");
    assert.match(errorOf(debian, "$pc") ?? "", /no register \$pc here; name a vCPU/);
  });
}
