// Debian packages straight from a mirror or a folder. A signature of the
// archive vouches for the release file, whose hashes lead to the lists and to each package.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { copyWhole, writeWhole } from "../../kit/support/files/whole-file.ts";
import { Rate } from "../../kit/support/text/rate.ts";
import { GiB, MiB } from "../../kit/support/values/sizes.ts";
import { decompressed, type PackageFields, parseFields } from "./deb.ts";
import { DEBIAN_KEYS, readRelease } from "./release-file.ts";
import { fetchSmall, transfer, type WantedFile } from "./transfer.ts";

/** Reports 0..100, the work in words such as "fetching package lists", and its finished part. */
export type FetchProgress = (percent: number, what: string, detail?: string) => void;

interface MirrorOptions {
  /** URL of the archive, such as https://deb.debian.org/debian, or a folder with the same files. */
  readonly mirror: string;
  readonly suite: string;
  readonly architecture: string;
  readonly progress?: FetchProgress;
  /**
   * Folder of unfinished downloads, which later ones continue, and of the package list, which is
   * fetched again only once it has changed. Default: that of the downloads.
   */
  readonly unfinished?: string;
  /** Folder that gets a copy of what is fetched, and is then a mirror itself. */
  readonly keep?: string;
  /** Armored OpenPGP keys, one of which must have signed. Default: Debian's. */
  readonly keys?: string;
}

/** Mode of the files of a mirror, which others may get from it: they are public, and signed. */
const SERVED = 0o644;

/** Packings of the package list that can be read, the one that takes least time first. */
const PACKINGS = ["gz", "xz"] as const;
const COMPONENT = "main";
/** Most bytes of a release file, and of a list or package. Debian's have 0.2 and 600 MB. */
const MOST_OF_RELEASE = 4 * MiB, MOST_OF_FILE = 2 * GiB;

/** The archive of one suite. */
export class MirrorArchive {
  readonly #options: MirrorOptions;
  /** With a slash at its end. */
  readonly #url: string;
  readonly #packages = new Map<string, PackageFields>();
  /** Packages by what they provide, in the order of the list. */
  readonly #providers = new Map<string, string[]>();

  constructor(options: MirrorOptions) {
    this.#options = options;
    const url = isFolder(options.mirror) ? pathToFileURL(resolve(options.mirror)).href : options.mirror;
    this.#url = `${url.replace(/\/$/, "")}/`;
  }

  /** Fetches the package lists. */
  async update(): Promise<void> {
    const { suite, architecture, progress, keys = DEBIAN_KEYS, keep, unfinished } = this.#options;
    const what = "fetching package lists";
    progress?.(0, what);
    const folder = `dists/${suite}`;
    const inRelease = await fetchSmall(`${this.#url}${folder}/InRelease`, MOST_OF_RELEASE);
    const files = await readRelease(new TextDecoder().decode(inRelease), keys);
    const list = `${COMPONENT}/binary-${architecture}/Packages`;
    const packing = PACKINGS.find((suffix) => files.has(`${list}.${suffix}`));
    if (!packing) throw new Error(`${suite} has no list of packages for ${architecture} that can be read (${PACKINGS.join(", ")})`);
    const downloads = await Deno.makeTempDir({ prefix: "el2-lists-" });
    try {
      const file = files.get(`${list}.${packing}`)!, lists = unfinished === undefined ? undefined : `${unfinished}/lists`;
      const packed = await this.#get(`${folder}/${list}.${packing}`, file, downloads, what, { unfinished: lists });
      const bytes = (await Deno.open(packed)).readable;
      this.#read(await new Response(ReadableStream.from(decompressed(packing, bytes))).text());
      if (lists !== undefined) {
        await Deno.remove(lists, { recursive: true });
        await Deno.mkdir(lists);
        // To the next transfer it is an unfinished one that lacks nothing.
        await move(packed, `${lists}/${file.sha256}.part`);
      }
    } finally {
      await Deno.remove(downloads, { recursive: true });
    }
    if (keep !== undefined) {
      await Deno.mkdir(`${keep}/${folder}`, { recursive: true });
      writeWhole(`${keep}/${folder}/InRelease`, inRelease, { mode: SERVED });
    }
    progress?.(100, what);
  }

  /**
   * The newest version of a package.
   * @throws Error for an unknown package
   */
  show(name: string): Promise<PackageFields> {
    const found = this.#packages.get(name);
    return found ? Promise.resolve(found) : Promise.reject(new Error(`${this.#options.suite} has no package ${name}`));
  }

  /**
   * Downloads packages into `folder` and returns their paths; their checksums have been verified.
   */
  async download(names: readonly string[], folder: string): Promise<string[]> {
    await Deno.mkdir(folder, { recursive: true });
    const wanted = await Promise.all(names.map((name) => this.show(name)));
    const all = wanted.reduce((sum, fields) => sum + Number(fields.get("Size")), 0);
    const what = `fetching ${names.length === 1 ? names[0] : `${names.length} packages`}`;
    const paths: string[] = [], rate = new Rate("bytes");
    let before = 0;
    for (const fields of wanted) {
      const file = { size: Number(fields.get("Size")), sha256: fields.get("SHA256") ?? "" };
      paths.push(
        await this.#get((fields.get("Filename") ?? "").replace(/^\.\//, ""), file, folder, what, { whole: { before, all, rate } }),
      );
      before += file.size;
    }
    this.#options.progress?.(100, what);
    return paths;
  }

  /** `names`, with `required` also the packages of that priority, and all that they depend on. */
  async closure(names: readonly string[], required = false): Promise<string[]> {
    const chosen = new Set(names);
    if (required) { for (const [name, fields] of this.#packages) if (fields.get("Priority") === "required") chosen.add(name); }
    // Packages added in this loop are visited too.
    for (const name of chosen) {
      const fields = await this.show(name);
      for (const clause of ["Pre-Depends", "Depends"].flatMap((field) => clausesOf(fields.get(field)))) {
        if (!clause.some((alternative) => this.#isMet(alternative, chosen))) chosen.add(this.#choose(clause, name));
      }
    }
    return [...chosen];
  }

  #isMet(alternative: string, chosen: ReadonlySet<string>): boolean {
    return chosen.has(alternative) || (this.#providers.get(alternative) ?? []).some((provider) => chosen.has(provider));
  }

  /**
   * The package that satisfies a clause: the first alternative that exists or is provided by
   * another package.
   */
  #choose(clause: readonly string[], dependent: string): string {
    for (const alternative of clause) {
      if (this.#packages.has(alternative)) return alternative;
      const provider = this.#providers.get(alternative)?.[0];
      if (provider) return provider;
    }
    throw new Error(`${dependent} depends on ${clause.join(" or ")}, which ${this.#options.suite} does not have`);
  }

  #read(list: string): void {
    for (const paragraph of list.split("\n\n")) {
      const fields = parseFields(paragraph);
      const name = fields.get("Package");
      if (!name) continue;
      this.#packages.set(name, fields);
      for (const [provided] of clausesOf(fields.get("Provides"))) {
        this.#providers.set(provided, [...this.#providers.get(provided) ?? [], name]);
      }
    }
  }

  /** Gets a file of the archive into a folder; its path there. */
  async #get(
    path: string,
    file: WantedFile,
    folder: string,
    what: string,
    {
      whole: { before, all, rate } = { before: 0, all: file.size, rate: new Rate("bytes") },
      unfinished = this.#options.unfinished ?? folder,
    }: {
      readonly whole?: Whole;
      readonly unfinished?: string;
    },
  ): Promise<string> {
    const { progress, keep } = this.#options;
    if (!(file.size >= 0 && file.size <= MOST_OF_FILE)) throw new Error(`${path}: ${file.size} bytes are more than a package has`);
    await Deno.mkdir(unfinished, { recursive: true });
    // Names of files here come from it.
    if (!/^([\w+~%:-][\w.+~%:-]*\/)*[\w+~%:-][\w.+~%:-]*$/.test(path)) {
      throw new Error(`${JSON.stringify(path)} of the mirror's list is not the path of a file`);
    }
    if (!/^[0-9a-f]{64}$/.test(file.sha256)) throw new Error(`${path}: the mirror's list has no SHA-256 of it`);
    const here = `${folder}/${path.slice(path.lastIndexOf("/") + 1)}`;
    const whole = `${unfinished}/${file.sha256}`;
    await transfer(`${this.#url}${path}`, whole, file, (done) => {
      progress?.(Math.floor(100 * (before + done) / all), what, rate.of(before + done, all));
    });
    await move(whole, here);
    if (keep !== undefined) {
      await Deno.mkdir(`${keep}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      copyWhole(here, `${keep}/${path}`, { mode: SERVED });
    }
    return here;
  }
}

/** A download of several files, as seen from one of them. */
interface Whole {
  /** Bytes of the files before this one, and of all. */
  readonly before: number;
  readonly all: number;
  readonly rate: Rate;
}

/** Whether a mirror is a folder of this computer: neither a URL nor a word. */
function isFolder(mirror: string): boolean {
  return !/^[a-z][a-z+.-]*:/i.test(mirror);
}

/** Moves a file, also to another file system. */
async function move(from: string, to: string): Promise<void> {
  try {
    await Deno.rename(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EXDEV")) throw error;
    await Deno.copyFile(from, to);
    await Deno.remove(from);
  }
}

/**
 * The clauses of a dependency field, each its alternatives; versions and architectures left out, as
 * a suite's packages fit one another.
 */
function clausesOf(field = ""): string[][] {
  const clauses = field.split(",").map((clause) => clause.split("|").map((item) => item.replace(/[(:[].*/s, "").trim()));
  return clauses.filter(([first]) => first !== "");
}
