// Debian packages straight from a mirror, for machines without apt. Hashes lead from the release
// file to each package; only TLS vouches for the release file itself. apt, where it is available,
// checks the archive's signature.

import { fileSha256, sha256 } from "../support/cache.ts";
import { decompressed, type PackageFields, parseFields } from "./deb.ts";

/** A source of packages. */
export interface PackageArchive {
  /** Fetches the package lists. */
  update(): Promise<void>;
  /**
   * The newest version of a package.
   * @throws Error for an unknown package
   */
  show(name: string): Promise<PackageFields>;
  /**
   * Downloads packages into `folder` and returns their paths; their checksums have been verified.
   */
  download(names: readonly string[], folder: string): Promise<string[]>;
  /** `names`, with `required` also the packages of that priority, and all that they depend on. */
  closure(names: readonly string[], required?: boolean): Promise<string[]>;
}

/** Options of a `MirrorArchive`. */
export interface MirrorOptions {
  /** URL of the archive, such as https://deb.debian.org/debian. */
  readonly mirror: string;
  readonly suite: string;
  readonly architecture: string;
  readonly progress?: (percent: number, what: string) => void;
}

/** Packings of the package list that can be read, the one that needs no program first. */
const PACKINGS = ["gz", "xz"] as const;
const COMPONENT = "main";

/** The archive of one suite. */
export class MirrorArchive implements PackageArchive {
  readonly #options: MirrorOptions;
  readonly #packages = new Map<string, PackageFields>();
  /** Packages by what they provide, in the order of the list. */
  readonly #providers = new Map<string, string[]>();

  /**
   * @throws Error where the mirror is reached by a protocol that anybody on the way could change
   */
  constructor(options: MirrorOptions) {
    const { protocol, hostname } = new URL(options.mirror);
    if (protocol !== "https:" && hostname !== "127.0.0.1") {
      throw new Error(
        `without apt nothing checks the archive's signature, and ${options.mirror} could be anybody's; name an https mirror, such as ` +
          "https://deb.debian.org/debian",
      );
    }
    this.#options = { ...options, mirror: options.mirror.replace(/\/$/, "") };
  }

  async update(): Promise<void> {
    const { suite, architecture, progress } = this.#options;
    progress?.(0, "package lists");
    const release = new TextDecoder().decode(await this.#fetch(`dists/${suite}/InRelease`));
    const hashes = hashesOf(release);
    const list = `${COMPONENT}/binary-${architecture}/Packages`;
    const packing = PACKINGS.find((suffix) => hashes.has(`${list}.${suffix}`));
    if (!packing) throw new Error(`${suite} has no list of packages for ${architecture} that can be read (${PACKINGS.join(", ")})`);
    const packed = await this.#fetch(`dists/${suite}/${list}.${packing}`);
    if (await sha256(packed) !== hashes.get(`${list}.${packing}`)) {
      throw new Error(`the mirror's ${list}.${packing} is not what its release file says; it may be changing: try again`);
    }
    const bytes = (async function* () {
      yield packed;
    })();
    this.#read(await new Response(ReadableStream.from(decompressed(packing, bytes))).text());
    progress?.(100, "package lists");
  }

  show(name: string): Promise<PackageFields> {
    const found = this.#packages.get(name);
    return found ? Promise.resolve(found) : Promise.reject(new Error(`${this.#options.suite} has no package ${name}`));
  }

  async download(names: readonly string[], folder: string): Promise<string[]> {
    await Deno.mkdir(folder, { recursive: true });
    const what = names.length === 1 ? names[0] : `${names.length} packages`;
    const paths: string[] = [];
    for (const [index, name] of names.entries()) {
      this.#options.progress?.(Math.round(100 * index / names.length), what);
      const fields = await this.show(name);
      const file = fields.get("Filename") ?? "";
      const path = `${folder}/${file.replace(/^.*\//, "")}`;
      await Deno.writeFile(path, await this.#fetch(file.replace(/^\.\//, "")));
      if (await fileSha256(path) !== fields.get("SHA256")) {
        await Deno.remove(path);
        throw new Error(`${file} of the mirror is not what its list says`);
      }
      paths.push(path);
    }
    this.#options.progress?.(100, what);
    return paths;
  }

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

  async #fetch(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const url = `${this.#options.mirror}/${path}`;
    let response: Response;
    try {
      response = await fetch(url);
    } catch (error) {
      throw new Error(`${url}: ${error instanceof Error ? error.message : error}`);
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`${url}: the mirror answers ${response.status} ${response.statusText}`.trimEnd());
    }
    return new Uint8Array(await response.arrayBuffer());
  }
}

/** SHA-256 of a release's files, by path. */
function hashesOf(release: string): Map<string, string> {
  const section = /^SHA256:\n((?: .*\n)+)/m.exec(release)?.[1] ?? "";
  return new Map(
    section.split("\n").filter((line) => line !== "").map((line) => {
      const [hash, , path] = line.trim().split(/\s+/);
      return [path, hash];
    }),
  );
}

/**
 * The clauses of a dependency field, each its alternatives; versions and architectures left out, as
 * a suite's packages fit one another.
 */
function clausesOf(field = ""): string[][] {
  const clauses = field.split(",").map((clause) => clause.split("|").map((item) => item.replace(/[(:[].*/s, "").trim()));
  return clauses.filter(([first]) => first !== "");
}
