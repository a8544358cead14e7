/** Answers the search of registry API v1 (search-server.ts PORT), and says in a result what it was asked. */
import { createServer } from "node:http";

const [port] = process.argv.slice(2);
createServer((request, response) => {
  const url = new URL(request.url ?? "", "http://stub");
  const [words, limit] = [url.searchParams.get("q"), url.searchParams.get("n")];
  if (url.pathname !== "/v1/search")
    return void response.writeHead(url.pathname === "/v2/" ? 200 : 404).end();
  if (words === "nonsense") return void response.end('{"results": "many"}');
  const results = [
    { name: "bad", description: "a \u001b[31mred\n one", is_automated: true },
    { name: "who/asked", description: `q=${words} n=${limit}`, star_count: 7, is_official: false },
    {
      name: "famous",
      description: "The one that everybody takes, long beyond forty-five characters",
      star_count: 900,
      is_official: true,
    },
  ];
  response.end(JSON.stringify({ num_results: results.length, query: words, results }));
}).listen(Number(port), "127.0.0.1", () => console.log("stub is up"));
