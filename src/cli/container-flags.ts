/**
 * The flags of `run` and `create`, as Docker 28 has them. A table in text (cli/flag-table.ts): a hundred objects would
 * cost every start half a millisecond, and a command line uses a few of them.
 */
import { FlagTable } from "./flag-table.ts";

const CONTAINER_FLAGS = `
    --add-host list       Add a custom host-to-IP mapping (host:ip)
    --annotation list
-a, --attach list
    --blkio-weight int
    --blkio-weight-device list
    --cap-add list        Add Linux capabilities
    --cap-drop list       Drop Linux capabilities
    --cgroup-parent string Optional parent cgroup for the container
    --cgroupns string
    --cidfile string      Write the container ID to the file
    --cpu-count string
    --cpu-percent string
    --cpu-period string
    --cpu-quota string
    --cpu-rt-period string
    --cpu-rt-runtime string
-c, --cpu-shares int      CPU shares (relative weight)
    --cpus string=decimal Number of CPUs
    --cpuset-cpus string  CPUs in which to allow execution (0-3, 0,1)
    --cpuset-mems string  MEMs in which to allow execution (0-3, 0,1)
    --device list         Add a host device to the container
    --device-cgroup-rule list
    --device-read-bps list
    --device-read-iops list
    --device-write-bps list
    --device-write-iops list
    --disable-content-trust bool
    --dns list            Set custom DNS servers
    --dns-option list     Set DNS options
    --dns-search list     Set custom DNS search domains
    --domainname string   Container NIS domain name
    --entrypoint string   Overwrite the default ENTRYPOINT of the image
-e, --env list            Set environment variables
    --env-file list       Read in a file of environment variables
    --expose list         Expose a port or a range of ports
    --gpus string
    --group-add list      Add additional groups to join
    --health-cmd string   Command to run to check health
    --health-interval string=duration Time between checks (default 30s)
    --health-on-failure string When unhealthy: none, kill, restart or stop
    --health-retries int  Failures in a row that make it unhealthy
    --health-start-interval string=duration Time between checks in the start period (default 5s)
    --health-start-period string=duration Time in which failures do not count
    --health-timeout string=duration Maximum time of a check (default 30s)
-h, --hostname string     Container host name
    --init bool           Run an init inside the container that forwards\\nsignals and reaps processes
-i, --interactive bool    Keep STDIN open even if not attached
    --io-maxbandwidth string
    --io-maxiops string
    --ip string
    --ip6 string
    --ipc string
    --isolation string
    --kernel-memory string
-l, --label list          Set meta data on a container
    --label-file list     Read in a line delimited file of labels
    --link list
    --link-local-ip list
    --log-driver string   Logging driver for the container (json-file, none)
    --log-opt list        Log driver options (max-size, max-file)
    --mac-address string
-m, --memory string=bytes Memory limit
    --memory-reservation string=bytes Memory soft limit
    --memory-swap string=bytes Swap limit equal to memory plus swap: '-1' to\\nenable unlimited swap
    --memory-swappiness string
    --mount list=mount    Attach a filesystem mount to the container
    --name string         Assign a name to the container
    --net string=network  The same as --network
    --net-alias list
    --network string=network Connect a container to a network\\n(bridge, host, none, container:NAME)
    --network-alias list
    --no-healthcheck bool Disable the image's HEALTHCHECK
    --oom-kill-disable bool
    --oom-score-adj int   Tune host's OOM preferences (-1000 to 1000)
    --pid string
    --pids-limit int      Tune container pids limit (set -1 for unlimited)
    --platform string     Set platform, such as linux/amd64
    --privileged bool     Give extended privileges to this container
-p, --publish list        Publish a container's port(s) to the host
-P, --publish-all bool    Publish all exposed ports to random ports
    --pull string         Pull image before running ("always", "missing", "never")
-q, --quiet bool          Suppress the pull output
    --read-only bool      Mount the container's root filesystem as read only
    --restart string      Restart policy to apply when a container exits\\n(no, always, unless-stopped, on-failure[:N])
    --rm bool             Automatically remove the container when it exits
    --rootfs bool         The first word is a directory that is the root, not an image
    --runtime string
    --security-opt list   Security options (seccomp=, no-new-privileges,\\nsystempaths=unconfined)
    --shm-size string=bytes Size of /dev/shm
    --stop-signal string  Signal to stop the container
    --stop-timeout int    Timeout (in seconds) to stop a container
    --storage-opt list    Storage driver options for the container\\n(size=, with the driver btrfs)
    --sysctl list=map     Sysctl options
    --tmpfs list          Mount a tmpfs directory
-t, --tty bool            Allocate a pseudo-TTY
    --ulimit list=ulimit  Ulimit options
    --use-api-socket bool
    --undo int            Keep the files as they were before each of the last\\nN execs, for undo
-u, --user string         Username or UID (format: <name|uid>[:<group|gid>])
    --userns string
    --uts string
-v, --volume list         Bind mount a volume
    --volume-driver string
    --volumes-from list
-w, --workdir string      Working directory inside the container
`;

const RUN_ONLY = `
-d, --detach bool         Run container in background and print container ID
    --detach-keys string  Override the key sequence for detaching a container
    --explain optional    Print what would be done, step by step, and why;\\n=json the plan itself, =sh a shell script
    --sig-proxy bool      Proxy received signals to the process (default true)
    --timings bool        Print where the time of the start went
`;

export const CREATE_FLAGS = new FlagTable(CONTAINER_FLAGS);

export const RUN_FLAGS = new FlagTable(CONTAINER_FLAGS + RUN_ONLY);

/** Some of them, for another command. */
export function flagsNamed(names: readonly string[]): FlagTable {
  const isNamed = (line: string) => names.includes(/--([\w-]+)/.exec(line)?.[1] ?? "");
  return new FlagTable(`\n${CONTAINER_FLAGS.split("\n").filter(isNamed).join("\n")}\n`);
}
