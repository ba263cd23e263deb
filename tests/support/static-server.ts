// A static server: files of a folder below a path, a plain one without any header.

/** A server that listens. */
interface StaticServer extends AsyncDisposable {
  readonly url: string;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  css: "text/css",
  rec: "application/octet-stream",
};

export function serveFolder(folder: string, path = "/", headers: Readonly<Record<string, string>> = {}): StaticServer {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url), name = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)], file = `${folder}/${name.slice(path.length)}`;
    const content = name.startsWith(path) && type ? await Deno.readFile(file).catch(() => undefined) : undefined;
    return content ? new Response(content, { headers: { ...headers, "content-type": type } }) : new Response(null, { status: 404 });
  });
  return { url: `http://127.0.0.1:${server.addr.port}${path}`, [Symbol.asyncDispose]: () => server.shutdown() };
}
