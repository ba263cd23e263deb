// A record of pstore as each way compresses it. The streams of LZ4 and LZO are of lz4 -9 and of
// lzop -1.

import { deflateRawSync, zstdCompressSync } from "node:zlib";

export const LINES = Array.from(
  { length: 24 },
  (_, index) =>
    `<${4 + index % 3}>[    7.${String(200 + index * 37).padStart(6, "0")}] virtio_net virtio${index % 4}: queue ${index} of ${
      index * 7 % 11
    }\n`,
);
export const TEXT = new TextEncoder().encode(`Panic#1 Part1\n${LINES.join("")}<0>[    7.999999] Kernel panic - not syncing: lost\n`);

const LZ4 = "8xtQYW5pYyMxIFBhcnQxCjw0PlsgICAgNy4wMDAyMDBdIHZpcnRpb19uZXQLAPgDMDogcXVldWUgMCBvZiAwCjw1MwAvMzczAAAUMTMAEDEzAEg3Cjw2MwAvNzQz" +
  "AAAUMjMAEDIzABozmQA/MzExMwAAFDMzABAzMwAbMZoAPzM0OM0ACRA0NAAaNpoAPzM4Nc0ACRA1MwAaMpoAPzQyMs0ACRA2MwAaOZkAPzQ1Oc0ACRA3MwAaNZkA" +
  "PzQ5NswACRE4AAEKmQA/NTMzzAAJEDkzABo4mQA/NTcwzAAJETEAAho0mgA/NjA3zQAJIzExNAIImwA/NjQ0zgAJIzEyNQIInAA/NjgxaAIKEzM2AgicAD83MTjQ" +
  "AAoUNDcCCJ0APzc1NdEAChM1OAIInQA/Nzky0QAKEzY5AgidAD84MjnRAAoTNzoCCJwAPzg2NtEAChM4OwIInAA/OTAz0AAKEzk8AgicAC85NAgECiMyMD0CCJwA" +
  "Lzk3CQQKIzIxPQIHnAA/MTAxCgQLEzI9Ahg2NAAfNQsECiMyMz0CFDA0ABE5AQCgXSBLZXJuZWwgcP8E8AYgLSBub3Qgc3luY2luZzogbG9zdAo=";

const LZO = "ABhQYW5pYyMxIFBhcnQxCjw0PlsgICAgNy4wMDAyMDBdIHZpcnRpb19uZXTIAQ8wOiBxdWV1ZSAwIG9mIDAKPDUqygAzNzHJADHpBjFoBgE3Cjw2KsoANzQxyQAy" +
  "6QYyaQYzLGMCMzExMckAM+kGM2kGMS1nAjM0ODHMACcxAzRtBjYsZwIzODUxyAAnMQM1aQYyLGcCNDIyMcgAJzEDNmkGOSzLBDQ1OTHIACcxAzdpBjUsYwI0OTYx" +
  "yAAnLQM4aAYtLwc1MzMxyAAnLQM5aQY4LGICNTcy+AcnLQMxnT80LGYCNjAy/AcnMQMxgUAwLM4ENjQyAAgnNQMxhUA3LG4CNjgyBAgnOQMxiUAzLG4CNzEyBAgo" +
  "PAOIQHhGKg4MNzUyDAgoQAORQDYscgI3OTIQCChAA5VAMixyAjgyMhQIKEADmUA5LOIEODYyGAgoQAOdQDUsbgI5MDIcCCg8A4FBMSxuAjk0MiAIJz0DMoFBOCxu" +
  "Ajk3MiAIJz0DMoFBNCtvAjEwMTIgCCc9AzKBQTArbwIxMDUyIAgnPQMygEEBNwo8MOWOOYAAABFdIEtlcm5lbCBwYW5pYyAtIG5vdCBzeW5jaW5nOiBsb3N0ChEA" +
  "AA==";

export const RECORDS = {
  deflate: deflateRawSync(TEXT),
  lz4: Uint8Array.fromBase64(LZ4),
  lzo: Uint8Array.fromBase64(LZO),
  zstd: zstdCompressSync(TEXT),
} satisfies Readonly<Record<string, Uint8Array>>;
