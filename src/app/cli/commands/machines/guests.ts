// `el2 guests`: fetches guests into the catalog and lists them (docs/design/workstation.md §2).

import { Argument, type Command, Option } from "@commander-js/extra-typings";
import { guestOffers } from "../../options/machine-words.ts";
import { offering } from "../../common/command-tree.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { printListing, withListOptions } from "../../common/list-options.ts";
import { output, progress, report } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { addGuest, wrongGuestName } from "../../../catalog/add.ts";
import { catalogEntries, damagedFiles, DEBIAN_RELEASES, DEFAULT_DEBIAN_RELEASE, type Manifest } from "../../../catalog/catalog.ts";
import type { FirstBoot } from "../../../catalog/debian-first-run.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";
import { documentText, type FieldsOf, GUEST, listingOf } from "../../../../model/queries/documents.ts";
import { cacheFolder } from "../../../../kit/support/files/cache.ts";
import { cannotRead, cannotWrite } from "../../../../kit/support/files/named-file.ts";
import { Rate } from "../../../../kit/support/text/rate.ts";
import { GiB } from "../../../../kit/support/values/sizes.ts";
import { formatSize } from "../../../../kit/support/text/units.ts";
import { problemOf } from "../../../../kit/support/problem.ts";
import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

/** Adds `guests fetch` and `guests ls` to the program. */
export function registerGuests(program: Command, { entry }: CommandContext): void {
  const guests = program.command("guests").description("fetch, add and list guests");
  registerFetch(guests, entry);
  registerAdd(guests);
  registerExport(guests);
  registerList(guests);
}

/** Runs the first boot of a disk in a worker without rights. */
async function firstBoot(entry: URL, { progress, ...first }: FirstBoot): Promise<void> {
  const devices = [{ kind: "block", image: first.disk, mode: "rw" }] as const;
  const what = { kind: "boot", image: first.image, initrd: first.initrd, dtb: undefined, append: undefined, devices } as const;
  const plan: SessionPlan = { cpus: 1, memory: GiB, turbo: true, seed: 1, what };
  await runJob(entry, { name: "first-boot", input: first, plans: [plan], hear: ([percent, text]) => progress?.(percent, text) });
}

function registerFetch(guests: Command, entry: URL): void {
  guests.command("fetch")
    .description("fetch an unmodified guest, kernel and busybox ramdisk; needs neither root nor apt")
    .addArgument(
      offering(
        new Argument("<guest>", "guest to fetch: debian"),
        () => [{ word: "debian", help: "Debian's kernel, with a ramdisk or a disk" }],
      ),
    )
    .addOption(new Option("--release <name>", "Debian release").choices(DEBIAN_RELEASES).default(DEFAULT_DEBIAN_RELEASE))
    .option("--disk", "fetch the guest with a disk: Debian's ordinary kernel and a root file system, configured in a first boot")
    .option(
      "--mirror <url>",
      "Debian mirror: a URL, or a folder that --keep has filled (default: EL2_MIRROR, or https://deb.debian.org/debian)",
    )
    .option("--keep <folder>", "also keep the downloads there, for --mirror on a computer without a network")
    .option("--json", "print the manifest as JSON")
    .addHelpText(
      "after",
      examplesText([
        "guests fetch debian",
        "guests fetch debian --release trixie --disk",
        "guests fetch debian --keep mirror && el2 guests fetch debian --mirror ./mirror",
      ]),
    )
    .action(async (guest, options) => {
      if (guest !== "debian") throw new Failure(`guests fetch: "${guest}" is not a guest that can be fetched`, "there is debian");
      // Readers of packages, and the machine that boots a guest with a disk, are loaded on demand.
      const unchanged = ({ name, fetched }: Manifest) => report(`el2: ${name} of ${fetched.slice(0, 10)} already has today's packages`);
      const wanted = { release: options.release, mirror: options.mirror, keep: options.keep, progress: progressLine(), unchanged };
      const fetched = options.disk
        ? (await import("../../../catalog/debian-disk.ts")).fetchDebianDisk(wanted, (first) => firstBoot(entry, first))
        : (await import("../../../catalog/debian.ts")).fetchDebian(wanted);
      const manifest = await fetched.catch((error) => refused("fetch", error));
      output(`${options.json ? guestText(manifest) : describe(manifest).join("\n")}\n`);
    });
}

function registerAdd(guests: Command): void {
  guests.command("add")
    .description("add your own guest to the cache, under a name that el2 run accepts")
    .argument("<name>", "name of the guest and of its VM")
    .argument("<image>", "arm64 Linux Image (also gzip, xz, zstd or EFI zboot), ELF or raw image: a file or a URL")
    .option("--initrd <file>", "initial ramdisk: a file or a URL")
    .option("--disk <file>", "disk image, raw or qcow2, also compressed (gzip, xz, zstd): a file or a URL")
    .option("--append <string>", "kernel command line (default: console=ttyAMA0)")
    .option("--about <text>", "description, one line")
    .option("--json", "print the manifest as JSON")
    .addHelpText(
      "after",
      `
Configurations refer to its files as catalog:NAME/image and catalog:NAME/initrd. An existing guest of this name is replaced.
A URL needs its checksum: https://example.org/Image#sha256=HEX. A disk is kept as a raw image; what the guest writes stays in memory.

Examples:
  el2 guests add mine Image --initrd rootfs.cpio.gz && el2 run mine
  el2 guests add rtos rtos.elf --about "our RTOS, nightly"
  el2 guests add cloud vmlinuz --initrd initrd --disk cloud.qcow2 --append "console=ttyAMA0 root=/dev/vda1"`,
    )
    .action(async (name, image, options) => {
      const wrong = wrongGuestName(name);
      if (wrong) throw new Failure(`guests add ${name}: ${wrong}`);
      const files = new AddedFiles();
      const manifest = await addGuest({
        name,
        about: options.about ?? image.replace(/#.*/, "").split("/").at(-1)!,
        image: await files.image(image, "image"),
        initrd: options.initrd === undefined ? undefined : await files.image(options.initrd, "initrd"),
        disk: options.disk === undefined ? undefined : await files.disk(options.disk),
        cmdline: options.append,
      }).catch((error) => refused("add", error));
      await files.removeFetched();
      output(options.json ? `${guestText(manifest)}\n` : `${describe(manifest).join("\n")}\n`);
    });
}

function registerExport(guests: Command): void {
  guests.command("export")
    .description("copy the disk of a guest into an image that a VM can write to")
    .addArgument(offering(new Argument("<name>", "a guest with a disk"), guestOffers))
    .argument("<file>", "the image, which must not exist: NAME.qcow2, or another name for a raw image")
    .addHelpText("after", examplesText(["guests export debian-bookworm-disk debian.qcow2", "guests export cloud cloud.img"]))
    .action(async (name, file) => {
      const { exportDisk } = await import("../../../catalog/export-disk.ts");
      using progress = new Progress(`writing ${file}`, "bytes");
      const size = await exportDisk(name, file, async (done, all) => {
        progress.at(done, all);
        await progress.turn();
      }).catch((error) => {
        if (error instanceof Failure) throw error;
        if (error instanceof Deno.errors.AlreadyExists || isOfSystem(error)) throw new Failure(cannotWrite(error, `guests export ${file}`));
        throw failed(problemOf(error, "guests export"));
      });
      output(`${file}: the disk of ${name}, ${formatSize(size)}\n`);
    });
}

function registerList(guests: Command): void {
  withListOptions(guests.command("ls").description("list the guests in the cache with sizes and hashes"))
    .option("--check", "compare every file with its hash; exits with 1 if one differs")
    .option("--json", "print manifests as JSON, one per line")
    .addHelpText("after", examplesText(["guests ls", "guests ls --check", "guests ls --columns name,size"]))
    .action(async (options) => {
      let entries = await catalogEntries();
      const make = async () => {
        entries = await catalogEntries();
        return entries.map(({ manifest, folder }) => guestFields(manifest, folder));
      };
      await printListing(listingOf(GUEST, "the cache has no guests"), options, make, (rows) => {
        for (const [index, { manifest, folder }] of entries.entries()) {
          output(`${options.json ? documentText(GUEST, rows[index]) : describe(manifest, folder).join("\n")}\n`);
        }
        if (!entries.length && !options.json) {
          report(`el2: no guest is in the cache; fetch one with ${hintText(hint("guests fetch", "debian"))}`);
        }
      });
      for (const entry of options.check ? entries : []) {
        const damaged = await damagedFiles(entry);
        if (damaged.length === 0) continue;
        report(`el2: ${entry.manifest.name}: ${damaged.join(", ")} differ from the manifest; fetch the guest again`);
        Deno.exitCode = ExitCode.Failed;
      }
    });
}

/** The files of a guest that is added, wherever they are. */
class AddedFiles {
  readonly #progress = progressLine();
  /** Files that came by a URL: kept until the guest is added, so that a transfer can continue. */
  readonly #fetched: string[] = [];

  /** @throws Failure */
  async image(named: string, what: string): Promise<Uint8Array> {
    const { unpackedImage } = await import("../../../catalog/added-files.ts");
    const bytes = readNamedFile(await this.#local(named), what);
    return await unpackedImage(bytes).catch((error) => unreadable(what, named, error));
  }

  /** @throws Failure */
  async disk(named: string): Promise<string> {
    const { rawDisk } = await import("../../../catalog/added-files.ts");
    return await rawDisk(await this.#local(named)).catch((error) => unreadable("disk", named, error));
  }

  async removeFetched(): Promise<void> {
    for (const path of this.#fetched) await Deno.remove(path);
  }

  async #local(named: string): Promise<string> {
    const { fetchUrl, isUrl } = await import("../../../catalog/added-files.ts");
    if (!isUrl(named)) return named;
    const name = named.replace(/#.*/, "").split("/").at(-1)!;
    const rate = new Rate("bytes");
    const progress = (done: number, all: number) =>
      this.#progress(Math.floor(done / Math.max(all, 1) * 100), `fetching ${name}`, rate.of(done, all));
    const path = await fetchUrl(named, progress).catch((error) => refused("add", error));
    if (!this.#fetched.includes(path)) this.#fetched.push(path);
    return path;
  }
}

function unreadable(what: string, named: string, error: unknown): never {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.IsADirectory || error instanceof Deno.errors.PermissionDenied) {
    throw new Failure(cannotRead(error, `${what} ${named}`));
  }
  throw failed(problemOf(error, `guests add: ${what} ${named}`));
}

/** All errors (network, apt, disk) are for the user to fix. */
function refused(command: "fetch" | "add", error: unknown): never {
  const { NotFound, NotADirectory, PermissionDenied } = Deno.errors;
  const nowhere = [NotFound, NotADirectory, PermissionDenied].some((kind) => error instanceof kind) ||
    error instanceof Error && /read-only file system|no space left/i.test(error.message);
  if (nowhere) {
    const reason = (error as Error).message;
    throw failed(`guests ${command}: cannot write to ${cacheFolder()}: ${reason}`, "set EL2_CACHE to another folder");
  }
  throw failed(problemOf(error, `guests ${command}`));
}

/** A guest for programs. */
const guestText = (manifest: Manifest): string => documentText(GUEST, guestFields(manifest));

function guestFields({ name, about, fetched, files, packages, added }: Manifest, folder: string | null = null): FieldsOf<typeof GUEST> {
  const rows = (list: readonly object[]) => list.map((one) => ({ ...one }));
  return {
    name,
    about,
    size: files.reduce((sum, { size }) => sum + size, 0),
    fetched,
    files: rows(files),
    packages: rows(packages),
    added: added ? { ...added } : null,
    folder,
  };
}

function describe(manifest: Manifest, folder = ""): string[] {
  const width = Math.max(...manifest.files.map(({ name }) => name.length));
  return [
    `${manifest.name}  ${manifest.about}${folder && `  ${folder}`}`,
    ...manifest.files.map(({ name, size, sha256 }) => {
      const use = USES.get(name);
      return `  ${name.padEnd(width)} ${String(size).padStart(10)}  ${sha256}${use === undefined ? "" : `  ${use}`}`;
    }),
  ];
}

/** The uses of files of the catalog's guests, where the name does not say it. */
const USES: ReadonlyMap<string, string> = new Map([["initrd-virtio", "for a boot with --disk or --net: it has their drivers"]]);

/**
 * A progress callback that writes to stderr: one line rewritten on a terminal, one line per file
 * elsewhere.
 */
function progressLine(): (percent: number, what: string, detail?: string) => void {
  const terminal = Deno.stderr.isTerminal();
  let last = "", ended = "";
  return (percent, what, detail) => {
    if (terminal) {
      // The end of a file's transfer is often also that of the whole: one line stays.
      if (percent === 100 && what === ended) return;
      ended = percent === 100 ? what : "";
      const line = `${what}: ${percent} %${detail === undefined ? "" : `, ${detail}`}`;
      if (line === last) return;
      last = line;
      progress(line, percent === 100);
    } else if (what !== last) {
      last = what;
      report(what);
    }
  };
}
