"""Types at bocker in a terminal: argv[1] is a JSON list of [bocker's words, steps], a step [text to type, text to wait for].
A step's first part may be {"size": [rows, columns]}. Prints JSON: [output, exit code] for each command line."""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

def run(words, steps):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(words[0], words)
    output = b""
    def until(text):
        nonlocal output
        end = time.time() + 30
        seen = len(output)
        while text.encode() not in output[seen:] and time.time() < end:
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    chunk = os.read(fd, 65536)
                except OSError:
                    return
                if not chunk:
                    return
                output += chunk
    for typed, awaited in steps:
        if isinstance(typed, dict):
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *typed["size"], 0, 0))
            os.kill(pid, signal.SIGWINCH)
        elif typed:
            os.write(fd, typed.encode())
        if awaited:
            until(awaited)
        else:
            time.sleep(0.3)
    until("\0never")
    _, status = os.waitpid(pid, 0)
    return [output.decode(errors="replace"), os.waitstatus_to_exitcode(status)]

print(json.dumps([run(words, steps) for words, steps in json.loads(sys.argv[1])]))
