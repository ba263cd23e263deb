# Prints as JSON what drgn reads of a core file: log, threads with their stacks and files, the stacks
# of CPUs, network interfaces, and the locks that lines of the input name, such as `mutex 0x…`.
# Arguments: the core file, the kernel with debug information.

import json
import sys

import drgn
from drgn import Object
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.fs import d_path, for_each_file
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.mm import cmdline
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_dmesg
from drgn.helpers.linux.sched import cpu_curr, task_state_to_char

OWNER_FLAGS = 7  # of mutexes and semaphores, in the low bits of the pointer to the task
WAITS = ("rwsem_down_", "__rwsem_down_", "__mutex_lock", "rt_mutex_slowlock", "__rt_mutex_slowlock")

core, kernel = sys.argv[1:]
program = drgn.Program()
program.set_core_dump(core)
program.load_debug_info([kernel])


def files_of(task):
    return [
        [fd, d_path(file.f_path).decode(), file.f_pos.value_(), file.f_flags.value_()]
        for fd, file in for_each_file(task)
    ]


def addresses_of(device):
    found = []
    address = device.ip_ptr.ifa_list if device.ip_ptr else None
    while address:
        bytes_ = address.ifa_local.value_().to_bytes(4, "little")
        found.append(".".join(str(byte) for byte in bytes_) + "/" + str(address.ifa_prefixlen.value_()))
        address = address.ifa_next
    return found


def waiters_of(lock, name):
    # Since Linux 7.0, a lock points to its first waiter, whose list has the others.
    if hasattr(lock, "wait_list"):
        return list_for_each_entry(name, lock.wait_list.address_of_(), "list")
    first = lock.first_waiter
    return [first, *list_for_each_entry(name, first.list.address_of_(), "list")] if first else []


def lock_at(line):
    kind, address = line.split()
    types = {"mutex": "struct mutex", "rwsem": "struct rw_semaphore"}
    waiters = {"mutex": "struct mutex_waiter", "rwsem": "struct rwsem_waiter"}
    lock = Object(program, types[kind], address=int(address, 16))
    owner = lock.owner.counter.value_()
    shared = kind == "rwsem" and owner & 1
    task = None if shared or not owner & ~OWNER_FLAGS else Object(program, "struct task_struct *", owner & ~OWNER_FLAGS)
    return {
        "owner": task.pid.value_() if task else None,
        "waiters": [one.task.pid.value_() for one in waiters_of(lock, waiters[kind])],
    }


tasks = []
for task in for_each_task(program):
    pid = task.pid.value_()
    stack = [frame.name for frame in program.stack_trace(pid)]
    tasks.append({
        "pid": pid,
        "comm": task.comm.string_().decode(),
        "state": task_state_to_char(task),
        "ppid": task.real_parent.tgid.value_(),
        "uid": task.cred.euid.val.value_(),
        "command": b" ".join(cmdline(task) or []).decode() if task.mm else None,
        "stack": stack,
        "files": files_of(task) if task.mm else [],
        "waits": any((name or "").startswith(WAITS) for name in stack),
    })
devices = [
    {
        "name": device.name.string_().decode(),
        "mtu": device.mtu.value_(),
        "up": bool(device.flags.value_() & 1),
        "addresses": addresses_of(device),
    }
    for device in list_for_each_entry("struct net_device", program["init_net"].dev_base_head.address_of_(), "dev_list")
]
cpus = [
    [frame.name for frame in program.stack_trace(cpu_curr(program, cpu))]
    for cpu in for_each_possible_cpu(program)
]
locks = [lock_at(line) for line in sys.stdin.read().splitlines()]
view = {"log": get_dmesg(program).decode(), "tasks": tasks, "cpus": cpus, "devices": devices, "locks": locks}
json.dump(view, sys.stdout)
