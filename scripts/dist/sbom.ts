// The software bill of materials: SPDX 2.3 as JSON.

import { VERSION } from "../../src/kit/support/version.ts";
import type { BundledPackage } from "./bundled-packages.ts";

const ME = "SPDXRef-el2";

/**
 * The document: el2, the packages in its bundle, and the runtime.
 * @param bundleHash SHA-256 of the bundle, as hex digits
 * @param time seconds since 1970
 */
export function sbom(packages: readonly BundledPackage[], bundleHash: string, time: number): string {
  const bundled = packages.map(({ name, version, license, sha512, purl = `pkg:npm/${name.replace("@", "%40")}` }) => ({
    ...described(idOf(name), name, version, license, `${purl}@${version}`),
    checksums: [{ algorithm: "SHA512", checksumValue: sha512 }],
  }));
  const deno = described("SPDXRef-deno", "deno", Deno.version.deno, "MIT", `pkg:npm/deno@${Deno.version.deno}`);
  const el2 = {
    ...described(ME, "el2", VERSION, "Apache-2.0", `pkg:npm/el2@${VERSION}`),
    packageFileName: "el2.js",
    checksums: [{ algorithm: "SHA256", checksumValue: bundleHash }],
  };
  const relationships = [
    { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: ME },
    ...packages.map(({ name }) => ({ spdxElementId: ME, relationshipType: "CONTAINS", relatedSpdxElement: idOf(name) })),
    { spdxElementId: ME, relationshipType: "DEPENDS_ON", relatedSpdxElement: "SPDXRef-deno" },
  ];
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `el2-${VERSION}`,
    // A URI that no other document has: the bundle's hash makes it so.
    documentNamespace: `urn:el2:sbom:${VERSION}:${bundleHash}`,
    creationInfo: { created: new Date(time * 1000).toISOString().replace(".000", ""), creators: [`Tool: el2-dist-${VERSION}`] },
    packages: [el2, ...bundled, deno],
    relationships,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function idOf(name: string): string {
  return `SPDXRef-npm-${name.replaceAll(/[^A-Za-z0-9.-]+/g, "-").replace(/^-/, "")}`;
}

function described(id: string, name: string, version: string, license: string, purl: string) {
  return {
    SPDXID: id,
    name,
    versionInfo: version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: license,
    licenseDeclared: license,
    copyrightText: "NOASSERTION",
    externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: purl }],
  };
}
