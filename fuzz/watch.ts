/** The thread that ends a fuzzer whose input takes too long. */
import { mkdirSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { workerData } from "node:worker_threads";

const { shared, path, result, limit } = workerData as {
  shared: SharedArrayBuffer;
  path: string;
  result: object;
  limit: number;
};
const numbers = new Int32Array(shared, 0, 2);
let last = 0;

setInterval(() => {
  const executions = Atomics.load(numbers, 0);
  if (executions !== last || executions === 0) {
    last = executions;
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.from(shared, 8, numbers[1]));
  writeSync(1, `${JSON.stringify({ ...result, executions, found: 0 })}\n`);
  process.kill(process.pid, "SIGKILL");
}, limit);
