# Prints as JSON the values of expressions about a core file, one for each line of the input.
# Arguments: the core file, the kernel with debug information.

import json
import sys

import drgn
from drgn import FaultError, Object, TypeKind, cast, container_of, reinterpret, sizeof
from drgn.helpers.linux.list import hlist_for_each_entry, list_for_each_entry
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry
from drgn.helpers.linux.xarray import xa_for_each

core, kernel = sys.argv[1:]
program = drgn.Program()
program.set_core_dump(core)
program.load_debug_info([kernel])


def plain(value):
    if isinstance(value, (int, bool)):
        return str(int(value))
    if not isinstance(value, Object):
        return [plain(one) for one in value]
    kind = value.type_
    while kind.kind in (TypeKind.TYPEDEF,):
        kind = kind.type
    if kind.kind == TypeKind.ARRAY:
        return value.string_().decode()
    return str(int(value.value_()))


def evaluated(line):
    try:
        return plain(eval(line, names))
    except FaultError:
        return None


names = {name: value for name, value in globals().items() if not name.startswith("_")}
names["v"] = lambda name: program[name]
print(json.dumps([evaluated(line) for line in sys.stdin.read().splitlines()]))
