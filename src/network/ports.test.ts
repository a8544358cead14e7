import { expect, test } from "bun:test";
import { parseExposed, parsePublish } from "./ports.ts";

const short = (argument: string) =>
  parsePublish(argument).map(
    ({ hostIp, hostPortFirst, hostPortLast, containerPort, protocol }) =>
      `${hostIp}:${hostPortFirst}${hostPortLast === hostPortFirst ? "" : `-${hostPortLast}`}:${containerPort}/${protocol}`,
  );

test.each([
  ["8080:80", ["0.0.0.0:8080:80/tcp"]],
  ["127.0.0.1:8080:80/udp", ["127.0.0.1:8080:80/udp"]],
  ["127.0.0.1:8080:80/UDP", ["127.0.0.1:8080:80/udp"]],
  ["80", ["0.0.0.0:0:80/tcp"]],
  ["0:80", ["0.0.0.0:0:80/tcp"]],
  ["80/sctp", ["0.0.0.0:0:80/sctp"]],
  ["127.0.0.1::80", ["127.0.0.1:0:80/tcp"]],
  ["8000-8002:80-82", ["0.0.0.0:8000:80/tcp", "0.0.0.0:8001:81/tcp", "0.0.0.0:8002:82/tcp"]],
  ["8000-8010:80", ["0.0.0.0:8000-8010:80/tcp"]],
  ["80-81", ["0.0.0.0:0:80/tcp", "0.0.0.0:0:81/tcp"]],
  ["published=8080,target=80,protocol=udp", ["0.0.0.0:8080:80/udp"]],
  ["target=80", ["0.0.0.0:0:80/tcp"]],
])("%s", (argument, want) => expect(short(argument)).toEqual(want));

test.each([
  ["8080:99999", "invalid containerPort: 99999"],
  ["8080:0", "invalid containerPort: 0"],
  ["8080:http", "invalid containerPort: http"],
  ["70000:80", "invalid hostPort: 70000"],
  ["90-80:80", "invalid hostPort: 90-80"],
  ["8080:", "no port specified: 8080:<empty>"],
  ["", "no port specified: <empty>"],
  ["80:8000-8001", "Invalid ranges specified for container and host Ports: 8000-8001 and 80"],
  ["1.2.3:80:80", "invalid IP address: 1.2.3"],
  ["80/icmp", "invalid proto: icmp"],
  ["[::1]:80:80", "not supported yet"],
  ["::1:80:80", "not supported yet"],
  ["[fe80::1%eth0]:80:80", "not supported yet"],
  ["published=80,tcp", "invalid publish opts format (should be name=value but got 'tcp')"],
  ["8080:80\n", "invalid containerPort: 80"],
  ["1e3:80", "invalid hostPort: 1e3"],
])("%s is refused", (argument, message) => expect(() => parsePublish(argument)).toThrow(message));

test("exposed ports", () => {
  expect(parseExposed("80")).toEqual([{ protocol: "tcp", port: 80 }]);
  expect(parseExposed("7000-7002/udp").map(({ port }) => port)).toEqual([7000, 7001, 7002]);
  expect(() => parseExposed("x")).toThrow("invalid range format for --expose: x");
});
