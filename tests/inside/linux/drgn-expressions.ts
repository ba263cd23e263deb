// Expressions about a kernel as `el2 print` and as drgn evaluate them.

import assert from "node:assert/strict";
import { rowsOf } from "../../../src/model/queries/query.ts";
import { PRINTED } from "../../../src/model/queries/tables.ts";
import type { Drgn } from "./core-tools.ts";
import type { Debian } from "./debian.ts";
import { writtenCore } from "./written-core.ts";

/** Members of variables, which both write alike but for `->` and the variable's name. */
const MEMBERS = [
  ...["init_task.comm", "init_task.pid", "init_task.tgid", "init_task.flags", "init_task.prio", "init_task.static_prio"],
  ...["init_task.policy", "init_task.on_cpu", "init_task.thread_info.flags", "init_task.thread_info.preempt_count"],
  ...["init_task.stack", "init_task.mm", "init_task.active_mm", "init_task.active_mm->pgd", "init_task.real_cred->uid.val"],
  ...["init_task.se.load.weight", "init_task.se.load.inv_weight", "init_task.se.vruntime"],
  ...["init_task.sched_class", "init_task.rt.time_slice", "init_task.nsproxy->uts_ns->name.release", "init_task.exit_signal"],
  ...["init_task.nsproxy->uts_ns->name.nodename", "init_task.nsproxy->pid_ns_for_children->level", "init_task.start_time"],
  ...["init_task.fs->umask", "init_task.files->next_fd", "init_task.signal->nr_threads", "init_task.signal->rlim[3].rlim_cur"],
  ...["init_task.signal->rlim[7].rlim_max", "init_task.sighand->action[2].sa.sa_flags", "init_task.tasks.next", "init_task.children.prev"],
  ...["init_task.thread_pid->level", "init_task.thread.cpu_context.sp", "init_task.thread.cpu_context.pc", "init_task.in_execve"],
  ...[
    "init_task.sched_contributes_to_load",
    "init_task.sched_reset_on_fork",
    "init_pid_ns.pid_allocated",
    "init_pid_ns.child_reaper->comm",
  ],
  ...["init_uts_ns.name.sysname", "init_uts_ns.name.version", "init_uts_ns.name.machine", "init_net.loopback_dev->name"],
  ...[
    "init_net.loopback_dev->mtu",
    "init_net.loopback_dev->flags",
    "init_net.ifindex",
    "init_user_ns.level",
    "init_task.real_cred->egid.val",
  ],
  ...[
    "init_task.active_mm->mm_count.counter",
    "init_task.active_mm->start_code",
    "init_task.active_mm->end_data",
    "init_task.cred->usage.counter",
    "jiffies_64",
    "system_state",
  ],
];
const LIST = `list_for_each_entry("struct task_struct", v("init_task").tasks.address_of_(), "tasks")`;
/** Others, with drgn's words. */
const PAIRS: Readonly<Record<string, string>> = {
  "sizeof(struct task_struct)": 'sizeof(program.type("struct task_struct"))',
  "sizeof(init_task.comm)": 'sizeof(v("init_task").comm)',
  "init_task.pid - 1": 'v("init_task").pid - 1',
  "init_task.flags & 0x200000": 'v("init_task").flags & 0x200000',
  "-1 < init_task.prio": '-1 < v("init_task").prio.value_()',
  "((struct task_struct *)&init_task)->comm": 'cast("struct task_struct *", v("init_task").address_of_()).comm',
  "list(&init_task.tasks, struct task_struct, tasks)": LIST,
  "list(&init_task.tasks, struct task_struct, tasks)->pid": `(one.pid for one in ${LIST})`,
  "list(&init_task.tasks, struct task_struct, tasks)->comm": `(one.comm for one in ${LIST})`,
  "list(&init_task.children, struct task_struct, sibling)->pid":
    '(one.pid for one in list_for_each_entry("struct task_struct", v("init_task").children.address_of_(), "sibling"))',
  "container_of(init_task.tasks.next, struct task_struct, tasks)": 'container_of(v("init_task").tasks.next, "struct task_struct", "tasks")',
  "per_cpu(runqueues, 0).nr_running": 'per_cpu(v("runqueues"), 0).nr_running',
  "per_cpu(runqueues, 1).curr->comm": 'per_cpu(v("runqueues"), 1).curr.comm',
  "per_cpu(runqueues, 1).cpu": 'per_cpu(v("runqueues"), 1).cpu',
  "rbtree(&per_cpu(hrtimer_bases, 0).clock_base[0].active, struct hrtimer, node.node)->node.expires":
    '(one.node.expires for one in rbtree_inorder_for_each_entry("struct hrtimer", per_cpu(v("hrtimer_bases"), 0).clock_base[0].active.rb_root.rb_root.address_of_(), "node.node"))',
};

/** drgn's words for a member: it follows pointers with a dot. */
const wordsOf = (text: string) => text.replaceAll("->", ".").replace(/^\w+/, (name) => `v("${name}")`);

/** Compares all of them on a core file; returns how many. */
export async function compareExpressions(debian: Debian, drgn: Drgn, vmlinux: string, core: string): Promise<number> {
  const all = [...MEMBERS.map((text) => [text, wordsOf(text)] as const), ...Object.entries(PAIRS)];
  await Deno.writeFile(core, writtenCore(debian));
  const values = await drgn.evaluate(core, vmlinux, all.map(([, words]) => words));
  for (const [index, [text]] of all.entries()) {
    const answer = debian.ask("print", { at: text }), rows = rowsOf(PRINTED, answer);
    assert.deepEqual([answer.error, answer.gaps], [undefined, undefined], text);
    const found = rows.map(({ number, value }) => number ?? (value.startsWith('"') ? JSON.parse(value) : null)), wanted = values[index];
    assert.deepEqual(Array.isArray(wanted) ? found : found[0], wanted, text);
  }
  return all.length;
}
