/**
 * Stands before a registry and takes only so many bytes at a time, as load balancers do. Prints a line for each request.
 *   limiting-server.ts PORT UPSTREAM-PORT LIMIT [BREAK]
 * BREAK: the PATCH of this number loses its connection in the middle; the next request is answered as usual.
 */
import { createServer, request } from "node:http";

const [port, upstream, limit, breaking] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number?,
];
let patches = 0;

createServer((message, response) => {
  const length = Number(message.headers["content-length"] ?? 0);
  console.log(`${message.method} ${length} ${message.headers["content-range"] ?? "-"}`);
  if (length > limit) {
    message.resume();
    return void response.writeHead(413).end();
  }
  const { method, url, headers } = message;
  const onward = request({ host: "127.0.0.1", port: upstream, path: url, method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  if (method === "PATCH" && ++patches === breaking) {
    let seen = 0;
    message.on("data", (chunk: Buffer) => {
      seen += chunk.length;
      onward.write(chunk);
      if (seen < length / 2) return;
      message.destroy();
      onward.destroy();
    });
  } else message.pipe(onward);
}).listen(port, "127.0.0.1", () => console.log("stub is up"));
