// Writes a disk image of QEMU (qcow2, version 3) from its start to its end, as a file that can only
// grow: tables first, then the clusters that have data, in order. The format is QEMU's
// docs/interop/qcow2.txt.

import { COPIED, HEADER_3, MAGIC, REFCOUNT_ORDER } from "./qcow2.ts";

const VERSION = 3, CLUSTER_BITS = 16;
/** Bytes of a cluster. */
export const CLUSTER = 2 ** CLUSTER_BITS;
/** Entries of a table in a cluster, and refcounts of 16 bits. */
const ENTRIES = CLUSTER / 8, REFCOUNTS = CLUSTER / 2;

/** A disk to write into an image. */
export interface DiskContent {
  /** Bytes, in whole sectors. */
  readonly size: number;
  /** Numbers of its clusters that are not all zero, ascending. */
  readonly clusters: readonly number[];
  read(offset: number, into: Uint8Array): void;
}

/** The header and the tables of an image, which its clusters follow in their order. */
export function qcow2Head({ size, clusters }: Pick<DiskContent, "size" | "clusters">): Uint8Array {
  const l1Entries = Math.max(1, Math.ceil(size / CLUSTER / ENTRIES));
  const tables = [...new Set(clusters.map((cluster) => Math.floor(cluster / ENTRIES)))];
  const l1Clusters = Math.ceil(l1Entries / ENTRIES), rest = 1 + l1Clusters + tables.length + clusters.length;
  // Each has refcounts for itself and for a cluster of their table, at least.
  const blocks = Math.ceil(rest / (REFCOUNTS - 2)), refcountClusters = Math.ceil(blocks / ENTRIES);
  const used = rest + blocks + refcountClusters, l1 = 1 + refcountClusters + blocks, l2 = l1 + l1Clusters, data = l2 + tables.length;
  const head = new DataView(new ArrayBuffer(data * CLUSTER));
  head.setUint32(0, MAGIC);
  head.setUint32(4, VERSION);
  head.setUint32(20, CLUSTER_BITS);
  head.setBigUint64(24, BigInt(size));
  head.setUint32(36, l1Entries);
  head.setBigUint64(40, BigInt(l1 * CLUSTER));
  head.setBigUint64(48, BigInt(CLUSTER));
  head.setUint32(56, refcountClusters);
  head.setUint32(96, REFCOUNT_ORDER);
  head.setUint32(100, HEADER_3);
  for (let block = 0; block < blocks; block++) head.setBigUint64(CLUSTER + block * 8, BigInt((1 + refcountClusters + block) * CLUSTER));
  for (let cluster = 0; cluster < used; cluster++) head.setUint16((1 + refcountClusters) * CLUSTER + cluster * 2, 1);
  tables.forEach((table, index) => head.setBigUint64(l1 * CLUSTER + table * 8, BigInt((l2 + index) * CLUSTER) | COPIED));
  const placeOf = new Map(tables.map((table, index) => [table, l2 + index]));
  clusters.forEach((cluster, index) => {
    const table = placeOf.get(Math.floor(cluster / ENTRIES)) ?? 0;
    head.setBigUint64(table * CLUSTER + cluster % ENTRIES * 8, BigInt((data + index) * CLUSTER) | COPIED);
  });
  return new Uint8Array(head.buffer);
}

/** Writes an image in pieces; each yields how many clusters are done. */
export function* writeQcow2({ size, clusters, read }: DiskContent, write: (bytes: Uint8Array) => void): Generator<number> {
  write(qcow2Head({ size, clusters }));
  const bytes = new Uint8Array(CLUSTER);
  for (const [index, cluster] of clusters.entries()) {
    const there = Math.min(CLUSTER, size - cluster * CLUSTER);
    read(cluster * CLUSTER, bytes.subarray(0, there));
    write(bytes.fill(0, there));
    yield index + 1;
  }
}
