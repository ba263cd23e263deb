// CPU time of the threads of a process.

/** A thread of a process. */
export interface ThreadTime {
  readonly id: string;
  readonly name: string;
  /** CPU time, ms, by the scheduler's clock, which counts in nanoseconds. */
  readonly milliseconds: number;
}

/**
 * The threads that a process has. Deno reads /proc only with all permissions, so that another
 * program has to: one for all threads, as it runs beside what is measured.
 */
export function threadTimes(pid: number): ThreadTime[] {
  const args = ["-r", "-s", "-H", ".", `/proc/${pid}/task`, "--include=comm", "--include=schedstat"];
  const { stdout } = new Deno.Command("grep", { args, stdin: "null", stderr: "null" }).outputSync();
  const names = new Map<string, string>(), times = new Map<string, number>();
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    const [, id, file, text] = /\/task\/(\d+)\/(comm|schedstat):(.*)$/.exec(line) ?? [];
    if (file === "comm") names.set(id, text);
    else if (file === "schedstat") times.set(id, Number(text.split(" ")[0]) / 1e6);
  }
  return [...times].map(([id, milliseconds]) => ({ id, name: names.get(id) ?? "", milliseconds }));
}
