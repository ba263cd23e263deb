// `el2 snapshot vmcore`: a VM of a snapshot as a core file for other tools.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { output, report } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { hostOption } from "../../options/host.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { readNamedSnapshot } from "../../start/plans/snapshots.ts";
import { cannotWrite } from "../../../../kit/support/files/named-file.ts";
import { NotOurs, openOwn, removeIfThere } from "../../../../kit/support/files/own-files.ts";
import { writeAll, WriteFailure } from "../../../../kit/support/files/write-all.ts";

/** Adds `snapshot vmcore`. */
export function addVmcore(group: Command, { entry, exit }: CommandContext): void {
  group.command("vmcore").description("write a VM's memory and registers as an ELF core file, as kdump does")
    .argument("<snapshot>", "snapshot to read")
    .argument("<file>", "core file to write")
    .option("--vm <vm>", "the VM (default: the one that runs Linux)")
    .addOption(hostOption())
    .addHelpText("after", examplesText(["snapshot vmcore before.snap vmcore", "snapshot vmcore before.snap vmcore --vm debian"]))
    .action(async (snapshot, file, { vm, allowHost }) => {
      const { plan, bytes } = await readNamedSnapshot(snapshot, hostConsent(allowHost), ExitCode.Failed);
      using written = new SparseFile(file);
      using progress = new Progress(`writing ${file}`, "bytes");
      const { size, lacks } = await progress.during(runJob(entry, {
        name: "vmcore",
        input: { path: snapshot, bytes, plan, vm },
        plans: [plan],
        hear(parts) {
          for (const { offset, bytes } of parts) written.write(offset, bytes);
          progress.at(written.bytes);
        },
      }));
      written.end(size);
      if (lacks !== undefined) report(`el2: snapshot vmcore: ${lacks}: tools that read kernels cannot use the file; gdb can`);
      output(`${file}: ${size} bytes\n`);
      exit(ExitCode.Done);
    });
}

/**
 * A file with holes, which is made when its first part comes. Its methods throw a Failure where it
 * cannot be written.
 */
class SparseFile implements Disposable {
  #file: Deno.FsFile | undefined;
  #whole = false;
  /** Bytes that were written, without holes. */
  bytes = 0;

  constructor(readonly path: string) {}

  write(offset: number, bytes: Uint8Array): void {
    this.#change((file) => {
      file.seekSync(offset, Deno.SeekMode.Start);
      writeAll(file, bytes, this.#name);
    });
    this.bytes += bytes.length;
  }

  end(size: number): void {
    this.#change((file) => file.truncateSync(size));
    this.#whole = true;
  }

  /** The file in errors. */
  get #name(): string {
    return `snapshot vmcore ${this.path}`;
  }

  #change(work: (file: Deno.FsFile) => void): void {
    try {
      work(this.#file ??= openOwn(this.path, { truncate: true }));
    } catch (error) {
      if (error instanceof NotOurs) throw new Failure(error.problem.what, "name another file");
      throw new Failure(error instanceof WriteFailure ? error.problem : cannotWrite(error, this.#name));
    }
  }

  /** Without `end` no file is left. */
  [Symbol.dispose](): void {
    this.#file?.close();
    if (this.#file && !this.#whole) removeIfThere(this.path);
  }
}
