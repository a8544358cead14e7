/** The results as a picture: bars on a logarithmic scale, since engines differ by factors. */
import { median, type Row } from "../measurement.ts";
import { shown } from "./table.ts";

const WIDTH = 860;
const LABEL = 250;
const BAR = 14;
const GAP = 3;
const TITLE = 24;
const COLOURS: Record<string, string> = {
  bocker: "#0a7",
  docker: "#28c",
  podman: "#83b",
  floor: "#999",
  "empty Bun": "#bbb",
};

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** An SVG of all rows in milliseconds. */
export function picture(rows: readonly Row[], caption: string): string {
  const timed = rows.filter(({ unit, samples }) => unit === "ms" && samples.size > 0);
  const results = timed
    .flatMap(({ samples }) => [...samples.values()].map(median))
    .filter((value) => value > 0);
  const least = Math.log10(Math.min(...results, 1));
  const most = Math.log10(Math.max(...results, 10));
  const room = WIDTH - LABEL - 90;
  const long = (value: number) => Math.max(2, ((Math.log10(value) - least) / (most - least)) * room);
  const lines: string[] = [];
  let y = 44;
  for (const row of timed) {
    lines.push(`<text x="10" y="${y + 12}" class="name">${escaped(row.name)}</text>`);
    y += TITLE - 6;
    for (const [engine, samples] of row.samples) {
      const value = median(samples);
      const colour = COLOURS[engine] ?? "#c83";
      lines.push(
        `<text x="${LABEL - 8}" y="${y + 11}" text-anchor="end">${escaped(engine)}</text>`,
        `<rect x="${LABEL}" y="${y}" width="${long(value).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
        `<text x="${(LABEL + long(value) + 5).toFixed(1)}" y="${y + 11}">${shown(value)} ms</text>`,
      );
      y += BAR + GAP;
    }
    y += 8;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 6}" font-family="sans-serif" font-size="11">`,
    "<style>.name{font-weight:bold;font-size:12px}</style>",
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="10" y="22" font-size="13">${escaped(caption)}</text>`,
    ...lines,
    "</svg>",
    "",
  ].join("\n");
}
