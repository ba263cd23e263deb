# Prints as JSON what drgn reads of a core file: log, threads, and the stacks of these and of CPUs.
# Arguments: the core file, the kernel with debug information.

import json
import sys

import drgn
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_dmesg
from drgn.helpers.linux.sched import cpu_curr, task_state_to_char

core, kernel = sys.argv[1:]
program = drgn.Program()
program.set_core_dump(core)
program.load_debug_info([kernel])
tasks = []
for task in for_each_task(program):
    pid = task.pid.value_()
    tasks.append({
        "pid": pid,
        "comm": task.comm.string_().decode(),
        "state": task_state_to_char(task),
        "ppid": task.real_parent.tgid.value_(),
        "stack": [frame.name for frame in program.stack_trace(pid)],
    })
cpus = [
    [frame.name for frame in program.stack_trace(cpu_curr(program, cpu))]
    for cpu in for_each_possible_cpu(program)
]
json.dump({"log": get_dmesg(program).decode(), "tasks": tasks, "cpus": cpus}, sys.stdout)
