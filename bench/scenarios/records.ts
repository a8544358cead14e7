/** Many containers and many names. */
import { addRow, type Bench, compare, forAll, IMAGE, scaled } from "../bench.ts";
import { addSample } from "../measurement.ts";
import { run, timed } from "../program.ts";

export async function records(bench: Bench): Promise<void> {
  const count = scaled(bench, 1000);
  const numbers = Array.from({ length: count }, (_, at) => at).join(" ");
  const each = (command: string) => `for i in ${numbers}; do ${command} || exit 1; done`;
  const creation = addRow(bench, "records", "create", `create of ${count} containers, one after the other`);
  for (const { name, cli } of bench.engines) {
    const create = each(`"$@" create --name bench-$i ${IMAGE} true`);
    addSample(creation, name, timed(["sh", "-c", create, "sh", ...cli]));
    run(["sh", "-c", each(`"$@" tag ${IMAGE} bench-$i`), "sh", ...cli]);
  }
  compare(
    bench,
    addRow(bench, "records", "ps -a", `ps -a of ${count} containers`),
    forAll(bench, () => ["ps", "-a"]),
  );
  compare(
    bench,
    addRow(bench, "records", "images", `images of ${count} names`),
    forAll(bench, () => ["images"]),
  );
  for (const { cli } of bench.engines) {
    const names = numbers.split(" ").map((number) => `bench-${number}`);
    run([...cli, "rm", ...names]);
    run([...cli, "rmi", ...names]);
  }
}
