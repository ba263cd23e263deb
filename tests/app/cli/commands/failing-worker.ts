// A machine's worker that fails as soon as it is to run something (trace-export_test.ts).

globalThis.onmessage = ({ data }: MessageEvent<{ kind: string } | { kind: string }[]>) => {
  const started = Array.isArray(data) && data.some(({ kind }) => kind === "start");
  if (started) globalThis.postMessage([{ kind: "failed", message: "Error: the machine is broken" }]);
};
globalThis.postMessage([{ kind: "ready" }]);
