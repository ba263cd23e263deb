// Names of structures' fields that differ between generations of kernels, newest first. Where a
// field is not listed, its own name is that of all generations since 5.10.

/** Paths by structure and name. */
export const FIELDS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  task_struct: {
    // 5.14 renamed it, so that nobody reads it without a barrier.
    state: ["__state", "state"],
    // Of the CPU: in thread_info where the configuration has it in the task.
    cpu: ["thread_info.cpu", "cpu"],
  },
  // 6.9 moved what locks and leases have in common into a structure.
  file_lock: {
    list: ["c.flc_list", "fl_list"],
    pid: ["c.flc_pid", "fl_pid"],
    file: ["c.flc_file", "fl_file"],
  },
  // 6.14 renamed it, so that nobody reads it without RCU.
  kernfs_node: { parent: ["__parent", "parent"] },
  // Real-time kernels have an RT mutex in it.
  device: { "mutex.owner": ["mutex.owner.counter", "mutex.rtmutex.owner"] },
};
