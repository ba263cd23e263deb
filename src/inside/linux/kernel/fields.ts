// Names of structures' fields that differ between generations of kernels, newest first. Where a
// field is not listed, its own name is that of all generations since 5.10.

/** Paths by `structure.name`. */
export const FIELDS: Readonly<Record<string, readonly string[]>> = {
  // 5.14 renamed it, so that nobody reads it without a barrier.
  "task_struct.state": ["__state", "state"],
  // Of the CPU: in thread_info where the configuration has it in the task.
  "task_struct.cpu": ["thread_info.cpu", "cpu"],
  // 6.2 made these counters per CPU.
  "mm_struct.rss": ["rss_stat[0].count", "rss_stat.count[0].counter"],
  // Real-time kernels have an RT mutex in it.
  "device.mutex.owner": ["mutex.owner.counter", "mutex.rtmutex.owner"],
  // 6.4 split the layout by kind of memory.
  "module.text": ["mem[0].base", "core_layout.base"],
};
