// A disk, and images of it that qemu-img 7.2 has made (`qemu-img convert -O qcow2`, with `-o
// compat=0.10,cluster_size=512`, and with `-c -o cluster_size=4096` by zlib and by zstd).

import zlib from "node:zlib";

/** A disk with data at the start, in the middle and at the end, and zeros. */
export const DISK: Uint8Array<ArrayBuffer> = new Uint8Array(401 * 512);
for (const [at, size] of [[0, 700], [70000, 900], [200 * 1024 + 100, 200]]) {
  for (let index = 0; index < size; index++) DISK[at + index] = (index * 7 + at) % 251;
}

const packed = {
  "version 2": [
    "KLUv/WQAL10MAFQSUUZJ+wAAAAIACQMiAAcGAQAEAYAIGoAsCgwOEBIUFhgHDhUcIyoxOD9GTVRbYmlwd36FjJOaoaivtr3Ey9LZ4Ofu9QEIDxYdJCsyOUBH",
    "TlVcY2pxeH+GjZSboqmwt77FzNPa4ejv9gIJEBceJSwzOkFIT1ZdZGtyeYCHjpWco6qxuL/GzdTb4unw9wMKERgfJi00O0JJUFdeZWxzeoGIj5adpKuyucDH",
    "ztXc4+rx+AQLEhkgJy41PENKUVhfZm10e4KJkJeepayzusHIz9bd5Ovy+QUMExohKC82PURLUllgZ251fIOKkZifpq20u8LJ0Nfe5ezz+gYNFBsiKTA3PkVM",
    "U1phaG92fYSLkpmgp661vMPK0djf5u30gBweICIkJigqgC4uoCHtsrP/GRBPkoKk0AFRQClukajaK8KJo36YfqtqDipS3V3PcrksIy+3HU753+Nqq5ne10/N",
    "R44qHZfLcYC76DJ93q0qqMuh2aLY5PtEXUzL0bFzU0tjtEJ+lwgeDnJtKHc12POM1Q==",
  ].join(""),
  zlib: [
    "KLUv/WQAU70VAFQmUUZJ+wAAAAMADAMiAAEwABAEAAAAcAAgAQOAQEBQRFEoQFJVY2DnE5VR1jK0sHfzDYlOyiwor2vtmTxr4Yr12/YeOX3p5oPn774ycvCL",
    "yapoG1k6uPuFxiRnFVbUt/VOmb1o5Ybt+46euXzr4Yv335g4BcTlVHWMrRw9/MNiU7KLKhva+6bOWbxq4479x85euf3o5YfvzFyCEvJquibWTp4B4XGpOcVV",
    "jR390+YuWb1p54Hj567eefzq4w8WbiFJBXU9Uxtnr8CI+LTckuqmzgnT5y1ds3nXwRPnr9198vrTT1YeYSlFDX0zWxfvoMiE9LzSmuauiTPmL1u7Zfehkxeu",
    "33v65vMvNl4RaSVNA3M7V5/gqMSM/LLalu5JMxcsX7d1z+FTF2/cf/b2C8Oo14e21xlGwSgYBaNgFIyCUTAKEA0YBfQE956++fyLjVdEWknTwNzO1Sc4KjEj",
    "v6y2pXvSzAXL123dc/jUxRv3n739wsDOJyqjrGVoYe/mGxKdlFlQXtfaM3nWwhXrt+09cvrSzQfP331l5OAXk1XRNrJ0cPcLjUnOKqyob+udMnvRyg3b9x09",
    "c/nWwxfvvzFxCojLqeoYWzl6+IfFpmQXVTa0902ds3jVxh37j529cvvRyw/fmbkEJeTVdE2snTwDwuNSc4qrGjv6p81dsnrTzgPHz1298/jVxx8s3EKSCup6",
    "pjbOXoER8Wm5JdVNnROmz1u6ZvOugyfOX7v75PWnn6w8wlKKGvpmti7eQZEJ6XmlNc1dE2fMX7Z2y+5DJy9cH/X6qNcHhdcHugygoD0Io0NQjTQBAB+gcGhN",
    "obL/GwBRYWlbDDSUcv4lYP/bTyhLsKyVFzE9a4VAdABCbgKB+wX30y1/goCfqDw+BZtJ5B8vGrNPNi/6vtC8PsF7Rx9lkPPbIJsd3JdD2A==",
  ].join(""),
  zstd: [
    "KLUv/WQAU6UNAEQWUUZJ+wAAAAMADAMiAAEwABAIBAAAAHABACABA4BAQFBEURNAUi4otS/9YAAPTQgAxA8ABw4VHCMqMTg/Rk1UW2JpcHd+hYyTmqGor7a9",
    "xMvS2eDn7vUBCA8WHSQrMjlAR05VXGNqcXh/ho2Um6KpsLe+xczT2uHo7/YCCRAXHiUsMzpBSE9WXWRrcnmAh46VnKOqsbi/xs3U2+Lp8PcDChEYHyYtNDtC",
    "SVBXXmVsc3qBiI+WnaSrsrnAx87V3OPq8fgECxIZICcuNTxDSlFYX2ZtdHuCiZCXnqWss7rByM/W3eTr8vkFDBMaISgvNj1ES1JZYGdudXyDipGYn6attLvC",
    "ydDX3uXs8/oGDRQbIikwNz5FTFNaYWhvdn2Ei5KZoKeutbzDytHY3+bt9AACAEDFfbH39atGCo0IANQPAAAEAJwBPqjRkyrYG/K/Sq6pAAu1BgC0DAAAAAIA",
    "SWgDX/4EsAAeIABVQUGhxm4Q5YsnhBoezAIK1Ci7sGJMWHDnT2HAPRZYP7Wt+NIp8JuM8jyjIG4CyNf+orGqyTQf+nyWeftrwry3ezCjcQjl3F55HgEGqrcp",
  ].join(""),
};

const image = (name: keyof typeof packed) => new Uint8Array(zlib.zstdDecompressSync(Uint8Array.fromBase64(packed[name])));

/** The images. */
export const QCOW2 = { "version 2": image("version 2"), zlib: image("zlib"), zstd: image("zstd") } as const;
